"""Statistics that one disturbed run cannot move."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

median = statistics.median


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The first and third quartile: half of the values lie between. Interpolates between values."""
    ordered = sorted(values)
    return _at(ordered, 0.25), _at(ordered, 0.75)


def _at(ordered: Sequence[float], fraction: float) -> float:
    position = fraction * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def times_better(tenure: float, peer: float, better: str) -> float:
    """How many times better `tenure` is: above 1 when ahead, infinite against nothing."""
    best, other = (tenure, peer) if better == "lower" else (peer, tenure)
    if best == 0:
        return 1.0 if other == 0 else math.inf
    return other / best


def median_interval(
    values: Sequence[float], seed: int = 0, rounds: int = 2000
) -> tuple[float, float]:
    """The median's 95 % confidence interval: percentile bootstrap, seeded."""
    if len(values) < 2:
        return values[0], values[0]
    rng = random.Random(seed)
    medians = sorted(median(rng.choices(values, k=len(values))) for _ in range(rounds))
    return _at(medians, 0.025), _at(medians, 0.975)
