"""Dropping, on a thread that is attached, a reference that could have been dropped anywhere."""

from __future__ import annotations

from typing import Any

from decref_common import PROCESSES, ROUNDS, run
from harness import programs
from harness.context import Context
from harness.interleave import merge
from harness.registry import Target, benchmark
from harness.schema import Row, make_row

COUNT = 250_000

_APART = "each in a function of its own"
_IN_LOOP = "all in one loop, where the compiler may look up the thread once for all"


def _runs(ctx: Context) -> list[dict[str, Any]]:
    def measure() -> list[dict[str, Any]]:
        found = []
        for number in range(PROCESSES):
            rounds, seed = ctx.rounds(ROUNDS), ctx.seed + number
            found.append(
                run(ctx, "drop", programs.pyo3("decref"), "sendable,c,pyo3", COUNT, rounds, seed)
            )
            ctx.progress.step("decref/drop", number + 1, PROCESSES)
        ctx.progress.clear()
        return found

    return ctx.once("decref drop", measure)


def _how(ctx: Context, what: str) -> str:
    return ctx.method(
        f"CPU time for each drop, {what}; {COUNT:,} references to 250 objects that live on; "
        f"{PROCESSES} fresh processes with {ctx.rounds(ROUNDS)} rounds each after 2 to warm up, "
        "sides shuffled in each round"
    )


def drop_row(ctx: Context, name: str, kind: str, what: str, wanted: tuple[str, ...]) -> Row:
    """`kind` is "apart" or "in_loop" of bench/samples/decref_drop.py."""
    runs = _runs(ctx)
    sides = merge(runs)
    labels = {
        "c": f"Py_DECREF, {ctx.python}",
        "pyo3": f"{runs[0]['version']}, Py<PyAny> dropped attached, {ctx.python}",
    }
    peers = {labels[side]: sides[side][kind] for side in wanted}
    own = sides["sendable"][kind]
    return make_row(name, "ns", "lower", ctx.python, own, peers, _how(ctx, what))


@benchmark("decref/drop/attached")
def attached(ctx: Context) -> Row:
    """A Sendable dropped attached, in a function of its own, against Py_DECREF and PyO3's Py<T>."""
    return drop_row(ctx, "decref/drop/attached", "apart", _APART, ("c", "pyo3"))


@benchmark("decref/drop/attached-in-loop")
def attached_in_loop(ctx: Context) -> Row:
    """The same in a loop over many, such as a vector's destructor."""
    return drop_row(ctx, "decref/drop/attached-in-loop", "in_loop", _IN_LOOP, ("c", "pyo3"))


@benchmark(
    "decref/drop/more-than-c",
    target=Target(2, "dropped attached, a Sendable costs at most 2 ns more than C", of="value"),
)
def more_than_c(ctx: Context) -> Row:
    """By how much decref/drop/attached is more than Py_DECREF in the same round."""
    sides = merge(_runs(ctx))
    pairs = zip(sides["sendable"]["apart"], sides["c"]["apart"], strict=True)
    more = [own - bare for own, bare in pairs]
    name, how = "decref/drop/more-than-c", _how(ctx, f"a Sendable's less Py_DECREF's, {_APART}")
    return make_row(name, "ns", "lower", ctx.python, more, {}, how)


@benchmark(
    "decref/drop/than-pyo3",
    target=Target(1, "dropped attached, a Sendable is no slower than PyO3's Py<T>"),
)
def than_pyo3(ctx: Context) -> Row:
    """decref/drop/attached against PyO3's Py<T> alone."""
    return drop_row(ctx, "decref/drop/than-pyo3", "apart", _APART, ("pyo3",))
