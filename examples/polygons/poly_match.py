"""Finds the smallest polygon near each point: Python with NumPy, the base of the comparison.

Objects of a class in a list, each with arrays, is how such programs are written; and most of the
time goes into asking a thousand of them, one by one, how far they are. The variants beside this
file make just that faster, and take over the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import workload


class Polygon:
    """The area is kept once it is known, as the center is."""

    _area: float | None = None

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x = x
        self.y = y

    @cached_property
    def center(self) -> np.ndarray:
        return np.array([self.x, self.y]).mean(axis=1)

    def area(self) -> float:
        if self._area is None:
            twice = np.dot(self.x, np.roll(self.y, 1)) - np.dot(self.y, np.roll(self.x, 1))
            self._area = abs(float(twice)) / 2
        return self._area


def find_close_polygons(
    polygon_subset: list[Polygon], point: np.ndarray, max_dist: float
) -> list[Polygon]:
    """Those whose center is nearer to the point than `max_dist`."""
    close = []
    for poly in polygon_subset:
        if np.linalg.norm(poly.center - point) < max_dist:
            close.append(poly)
    return close


def select_best_polygon(polygons: list[Any]) -> Any:
    """The one with the smallest area."""
    return min(polygons, key=lambda poly: poly.area())


def main(
    polygons: list[Any],
    points: list[Any],
    find: Callable[[list[Any], Any, float], list[Any]] = find_close_polygons,
) -> list[float]:
    """The area of the best polygon for each point that has one near it."""
    best = []
    for point in points:
        if close := find(polygons, point, workload.MAX_DIST):
            best.append(select_best_polygon(close).area())
    return best


def make_example(kind: Callable[[np.ndarray, np.ndarray], Any] = Polygon) -> tuple[list, list]:
    """(polygons, points) of the workload."""
    polygons = [kind(np.array(x), np.array(y)) for x, y in workload.outlines()]
    return polygons, [np.array(point) for point in workload.points()]
