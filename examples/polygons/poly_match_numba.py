"""Numba, with the polygons left as they are: the distance is compiled, the loop is Python's.

Numba does not look into a list of Python objects, so this is what it can do for the program as it
is. poly_match_numba_arrays.py gives the objects up instead.
"""

from __future__ import annotations

import math

import numpy as np
import poly_match
from numba import njit
from poly_match import Polygon, make_example

__all__ = ["main", "make_example"]


@njit
def is_close(center: np.ndarray, point: np.ndarray, max_dist: float) -> bool:
    return math.sqrt((center[0] - point[0]) ** 2 + (center[1] - point[1]) ** 2) < max_dist


def find_close_polygons(
    polygon_subset: list[Polygon], point: np.ndarray, max_dist: float
) -> list[Polygon]:
    return [poly for poly in polygon_subset if is_close(poly.center, point, max_dist)]


def main(polygons: list[Polygon], points: list[np.ndarray]) -> list[float]:
    return poly_match.main(polygons, points, find_close_polygons)
