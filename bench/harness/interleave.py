"""Comparing sides fairly on a machine that is not quiet."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .progress import Progress

Sample = TypeVar("Sample")

HOW = "interleaved fresh processes, order of each round shuffled, one hash seed a round, medians"


def interleave(
    sides: Mapping[str, Callable[[int], Sample]],
    *,
    rounds: int,
    warmup: int,
    seed: int,
    progress: Progress,
    what: str,
) -> dict[str, list[Sample]]:
    """Takes one sample of every side in every round, in an order shuffled anew from `seed`.

    A side is called with the round's PYTHONHASHSEED, the same for all sides of a round: what a
    hash order costs then falls on all alike. Drift of the machine, too, falls on all alike. The
    first `warmup` rounds are thrown away.
    """
    rng = random.Random(seed)
    samples: dict[str, list[Sample]] = {label: [] for label in sides}
    order = list(sides)
    for number in range(warmup + rounds):
        rng.shuffle(order)
        hash_seed = rng.randrange(1, 2**32)
        for label in order:
            sample = sides[label](hash_seed)
            if number >= warmup:
                samples[label].append(sample)
        progress.step(what, number + 1, warmup + rounds)
    progress.clear()
    return samples


def column(samples: Sequence[Mapping[str, float]], key: str) -> list[float]:
    return [sample[key] for sample in samples]


def merge(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """The samples that several processes took of all sides, as if one had: {side: {what: [of each round, ...]}}."""

    def all_of(side: str, what: str) -> list[float]:
        return [value for one in runs for value in one["sides"][side][what]]

    sides = runs[0]["sides"]
    return {side: {what: all_of(side, what) for what in kinds} for side, kinds in sides.items()}
