"""Tenure, the third step: polygons in C++, found without allocating anything but the result."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_step3


class Polygon(polygons_step3.Polygon):
    _area: float | None = None
    area = poly_match.Polygon.area


main = partial(poly_match.main, find=polygons_step3.find_close_polygons)
make_example = partial(poly_match.make_example, Polygon)
