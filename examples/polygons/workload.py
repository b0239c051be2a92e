"""What every variant is given: polygons, points, and how near is near.

The sizes and the distance are those of "Making Python 100x faster with less than 100 lines of
Rust", by ohadravid: a thousand polygons and a hundred points, both on a field of 100 by 100. There
all polygons are alike, here none are, so that a wrong choice among them shows in the result.

Needs nothing but the standard library, whose random numbers are the same for every interpreter.
"""

from __future__ import annotations

import math
import random

POLYGONS = 1000
POINTS = 100
FIELD = 100
MAX_DIST = 10.0
SEED = 6

Outline = tuple[list[float], list[float]]


def outlines() -> list[Outline]:
    """The corners of each polygon: their x, their y."""
    rng = random.Random(SEED)
    return [_outline(rng) for _ in range(POLYGONS)]


def points() -> list[tuple[float, float]]:
    """One on each row and on each column of the field."""
    rng = random.Random(SEED)
    xs = [float(x) for x in range(POINTS)]
    ys = list(xs)
    rng.shuffle(xs)
    rng.shuffle(ys)
    return list(zip(xs, ys))


def _outline(rng: random.Random) -> Outline:
    """Corners in order on a circle somewhere on the field."""
    middle_x, middle_y = rng.randrange(FIELD), rng.randrange(FIELD)
    radius = rng.uniform(0.5, 2.0)
    angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(rng.randint(3, 20)))
    xs = [middle_x + radius * math.cos(angle) for angle in angles]
    ys = [middle_y + radius * math.sin(angle) for angle in angles]
    return xs, ys
