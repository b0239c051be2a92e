"""The same without NumPy, for PyPy: it makes machine code of plain Python.

It runs on CPython too, where it shows what NumPy costs when the arrays have two elements.
"""

from __future__ import annotations

import math

import workload

Point = tuple[float, float]


class Polygon:
    def __init__(self, x: list[float], y: list[float]) -> None:
        self.x = x
        self.y = y
        self.center = (sum(x) / len(x), sum(y) / len(y))
        self._area: float | None = None

    def area(self) -> float:
        if self._area is None:
            x, y = self.x, self.y
            twice = sum(x[i] * y[i - 1] - y[i] * x[i - 1] for i in range(len(x)))
            self._area = abs(twice) / 2
        return self._area


def find_close_polygons(
    polygon_subset: list[Polygon], point: Point, max_dist: float
) -> list[Polygon]:
    to_x, to_y = point
    close = []
    for poly in polygon_subset:
        x, y = poly.center
        x -= to_x
        y -= to_y
        if math.sqrt(x * x + y * y) < max_dist:
            close.append(poly)
    return close


def select_best_polygon(polygons: list[Polygon]) -> Polygon:
    return min(polygons, key=lambda poly: poly.area())


def main(polygons: list[Polygon], points: list[Point]) -> list[float]:
    best = []
    for point in points:
        if close := find_close_polygons(polygons, point, workload.MAX_DIST):
            best.append(select_best_polygon(close).area())
    return best


def make_example() -> tuple[list[Polygon], list[Point]]:
    return [Polygon(x, y) for x, y in workload.outlines()], workload.points()
