"""PyO3, the third step: polygons in Rust, found without allocating anything but the result."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_pyo3
from poly_match_pyo3_vec import Polygon

main = partial(poly_match.main, find=polygons_pyo3.find_close_polygons)
make_example = partial(poly_match.make_example, Polygon)
