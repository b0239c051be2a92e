"""Comparing sides fairly on a machine that is not quiet."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

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
