"""Numba at its best: arrays of all centers and all areas instead of objects, everything compiled.

Another program than the others: there is no polygon that could be found, subclassed or handed on.
Where that is no loss, it is the way to go.
"""

from __future__ import annotations

import math

import numpy as np
import poly_match
import workload
from numba import njit

Polygons = tuple[np.ndarray, np.ndarray]  # the centers, the areas


@njit
def best_areas(
    centers: np.ndarray, areas: np.ndarray, points: np.ndarray, max_dist: float
) -> list[float]:
    found = []
    for i in range(len(points)):
        best = math.inf
        for k in range(len(centers)):
            x, y = centers[k, 0] - points[i, 0], centers[k, 1] - points[i, 1]
            if areas[k] < best and math.sqrt(x**2 + y**2) < max_dist:
                best = areas[k]
        if best < math.inf:
            found.append(best)
    return found


def main(polygons: Polygons, points: np.ndarray) -> list[float]:
    centers, areas = polygons
    return best_areas(centers, areas, points, workload.MAX_DIST)


def make_example() -> tuple[Polygons, np.ndarray]:
    polygons, points = poly_match.make_example()
    centers = np.array([poly.center for poly in polygons])
    areas = np.array([poly.area() for poly in polygons])
    return (centers, areas), np.array(points)
