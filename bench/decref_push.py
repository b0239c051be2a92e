"""Putting off a decref from a thread that is not attached, and doing it."""

from __future__ import annotations

from typing import Any

from decref_common import (
    COUNTS,
    MANY,
    MUTEX_VECTOR,
    PROCESSES,
    ROUNDS,
    ROUNDS_OF_MANY,
    run,
)
from harness import programs
from harness.context import Context
from harness.errors import Skip
from harness.interleave import merge
from harness.registry import Target, add, benchmark
from harness.schema import Row, make_row

PRODUCERS = (1, 2)

# What DecrefQueue was chosen over.
_CANDIDATES = {
    "spsc-rings": "{boost} spsc_queue of each thread, chained when full",
    "mpmc": "{boost} queue",
    "treiber": "stack by compare-exchange, nodes of each thread's own",
    "full-fence": "ours with a full fence in each push",
    "mutex-vector": MUTEX_VECTOR,
    "gil": "taking the GIL for each",
}
# What can be done in reasonable time where each waits for the other.
_GIL_COUNT = 2_500

_HOW = (
    "{n} references to 250 live objects pushed by each of {threads} thread{s} that start together, "
    "drained afterwards; {processes} fresh processes with {rounds} rounds each after 2 to warm up, "
    "sides shuffled in each round; samples in which a producer lost its processor to another "
    "program taken again, {disturbed} of {samples} in vain"
)


def _rounds(ctx: Context, count: int) -> int:
    """Of each process."""
    return ctx.rounds(ROUNDS if count < MANY else ROUNDS_OF_MANY)


def _how(ctx: Context, what: str, runs: list[dict[str, Any]], threads: int, count: int) -> str:
    disturbed = sum(one["disturbed"] for one in runs)
    samples = len(runs) * _rounds(ctx, count) * len(runs[0]["sides"])
    if disturbed > samples // 2:
        raise Skip(
            f"in {disturbed} of {samples} samples other programs took a processor away from the "
            f"{threads} producer{'s' * (threads != 1)}; run it when the machine is idle"
        )
    how = _HOW.format(
        n=f"{count:,}",
        threads=threads,
        s="s" * (threads != 1),
        processes=len(runs),
        rounds=_rounds(ctx, count),
        disturbed=disturbed,
        samples=samples,
    )
    return ctx.method(f"{what}; {how}")


def _samples(ctx: Context, sides: str, threads: int, count: int) -> list[dict[str, Any]]:
    def measure() -> list[dict[str, Any]]:
        library = programs.pyo3("decref") if "pyo3" in sides else "-"
        found = []
        for number in range(PROCESSES):
            seed = ctx.seed + number
            rounds = _rounds(ctx, count)
            found.append(run(ctx, "push", library, sides, threads, count, rounds, seed))
            ctx.progress.step(f"{threads} producers, {count:,} each", number + 1, PROCESSES)
        ctx.progress.clear()
        return found

    return ctx.once(f"decref {sides} {threads} {count}", measure)


def push_row(
    ctx: Context, name: str, clock: str, what: str, threads: int, count: int | None = None
) -> Row:
    """`clock` is "wall", "cpu" or "drain" of bench/samples/decref_push.py."""
    count = count or COUNTS[threads]
    runs = _samples(ctx, "sendable,pyo3,mutex-vector", threads, count)
    sides = merge(runs)
    pool = f"{runs[0]['version']}, Py<PyAny> dropped detached, {ctx.python}"
    peers = {pool: sides["pyo3"][clock], MUTEX_VECTOR: sides["mutex-vector"][clock]}
    how = _how(ctx, what, runs, threads, count)
    return make_row(name, "ns", "lower", ctx.python, sides["sendable"][clock], peers, how)


_WALL = "wall time from the first push's start to the last's end, for each push; a Sendable dropped"
_CPU = "CPU time of the producers for each push; a Sendable dropped"


def _register_push(threads: int, target: Target) -> None:
    name = f"decref/push/{threads}"
    who = "one detached thread" if threads == 1 else "two detached threads at once"

    def wall(ctx: Context) -> Row:
        return push_row(ctx, name, "wall", _WALL, threads)

    def cpu(ctx: Context) -> Row:
        return push_row(ctx, f"{name}/cpu", "cpu", _CPU, threads)

    def million(ctx: Context) -> Row:
        return push_row(ctx, f"{name}/million", "wall", _WALL, threads, MANY)

    wall.__doc__ = f"A reference dropped by {who}, against PyO3's pool and a mutexed vector."
    cpu.__doc__ = f"The same in CPU time, which neighbours disturb less, of {who}."
    million.__doc__ = f"The same with {MANY:,} before each drain, of {who}."
    add(name, wall, target=target)
    add(f"{name}/cpu", cpu)
    add(f"{name}/million", million)


_register_push(
    1, Target(3, "one producer pushes 3 times faster than through PyO3's pool or a mutexed vector")
)
_register_push(
    2, Target(10, "two push 10 times faster than through PyO3's pool or a mutexed vector")
)


def _register_alternatives(threads: int) -> None:
    name = f"decref/alternatives/{threads}"

    def measure(ctx: Context) -> Row:
        counts = {"gil": f"gil={_GIL_COUNT}"}
        sides = ",".join(["defer", *(counts.get(side, side) for side in _CANDIDATES)])
        runs = _samples(ctx, sides, threads, COUNTS[threads])
        found = merge(runs)
        boost = runs[0]["boost"]
        peers = {text.format(boost=boost): found[s]["wall"] for s, text in _CANDIDATES.items()}
        what = (
            "wall time for each push, through a function that is not inlined; all but the mutex "
            "and the GIL with our signal; for the GIL, which nobody else wants, "
            f"{_GIL_COUNT:,} references"
        )
        how = _how(ctx, what, runs, threads, COUNTS[threads])
        return make_row(name, "ns", "lower", ctx.python, found["defer"]["wall"], peers, how)

    measure.__doc__ = (
        f"DecrefQueue::defer() by {threads} producer{'s' * (threads != 1)}, against the queues it "
        "could have been (docs/decisions/0008)."
    )
    add(name, measure)


for _threads in PRODUCERS:
    _register_alternatives(_threads)


@benchmark("decref/drain")
def drain(ctx: Context) -> Row:
    """Doing one deferred decref of an object that lives on, pushed by another thread before."""
    what = "CPU time of one drain of everything for each decref done"
    return push_row(ctx, "decref/drain", "drain", what, 1)
