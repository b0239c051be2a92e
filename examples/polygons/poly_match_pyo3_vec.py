"""PyO3, the second step: polygons in Rust, whose area stays Python's business; vectors of them."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_pyo3


class Polygon(polygons_pyo3.Polygon):
    _area: float | None = None
    area = poly_match.Polygon.area


main = partial(poly_match.main, find=polygons_pyo3.find_close_polygons_vec)
make_example = partial(poly_match.make_example, Polygon)
