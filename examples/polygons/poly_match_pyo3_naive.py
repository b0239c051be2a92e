"""PyO3, the first step: find_close_polygons() in Rust, line by line, on Python's polygons."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_pyo3
from poly_match import make_example

__all__ = ["main", "make_example"]

main = partial(poly_match.main, find=polygons_pyo3.find_close_polygons_naive)
