"""Tenure, the second step: polygons in C++, whose area stays Python's business."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_step2


class Polygon(polygons_step2.Polygon):
    _area: float | None = None
    area = poly_match.Polygon.area


main = partial(poly_match.main, find=polygons_step2.find_close_polygons)
make_example = partial(poly_match.make_example, Polygon)
