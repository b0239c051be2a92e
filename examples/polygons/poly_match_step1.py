"""Tenure, the first step: find_close_polygons() in C++, line by line, on Python's polygons."""

from __future__ import annotations

from functools import partial

import poly_match
import polygons_step1
from poly_match import make_example

__all__ = ["main", "make_example"]

main = partial(poly_match.main, find=polygons_step1.find_close_polygons)
