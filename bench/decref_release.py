"""Dropping a huge container a little at a time, against dropping it at once."""

from __future__ import annotations

from typing import Any

from decref_common import run
from harness.context import Context
from harness.interleave import HOW, column
from harness.registry import Target, add
from harness.schema import Row, make_row

# What is released, and of how many objects.
SIZES = {"list": 10_000_000, "tuple": 2_000_000, "dict": 2_000_000, "set": 2_000_000}
BUDGET_NS = 1_000_000
ROUNDS = 11


def _samples(ctx: Context, kind: str) -> dict[str, list[dict[str, Any]]]:
    def measure() -> dict[str, list[dict[str, Any]]]:
        def side(budget: int) -> Any:
            return lambda _: run(ctx, "release", kind, SIZES[kind], budget)

        sides = {"tenure": side(BUDGET_NS), "at once": side(0)}
        return ctx.interleave(f"decref/release/{kind}", sides, rounds=ROUNDS, warmup=1)

    return ctx.once(f"decref release {kind}", measure)


def _row(ctx: Context, name: str, kind: str, key: str, what: str) -> Row:
    samples = _samples(ctx, kind)
    content = "floats by integers" if kind == "dict" else "distinct integers"
    how = (
        f"{what}; a {kind} of {SIZES[kind]:,} {content}, release_incrementally() and drains with a "
        f"budget of {BUDGET_NS / 1e6:g} ms in a loop, against one Py_DECREF; {HOW}"
    )
    own, other = column(samples["tenure"], key), column(samples["at once"], key)
    peers = {f"Py_DECREF, {ctx.python}": other}
    return make_row(name, "ms", "lower", ctx.python, own, peers, ctx.method(how))


def _register(kind: str, total_target: Target | None, pause_target: Target | None) -> None:
    name = f"decref/release/{kind}"

    def total(ctx: Context) -> Row:
        return _row(ctx, name, kind, "cpu", "CPU time altogether")

    def pause(ctx: Context) -> Row:
        what = "wall time of the longest step, less that in which other programs had the processor"
        return _row(ctx, f"{name}/pause", kind, "longest", what)

    def pause_wall(ctx: Context) -> Row:
        what = "wall time of the longest step"
        return _row(ctx, f"{name}/pause-wall", kind, "longest_wall", what)

    total.__doc__ = f"A {kind} of {SIZES[kind]:,} objects taken apart, against dropped at once."
    pause.__doc__ = f"The longest time in which nothing else could run, for that {kind}."
    pause_wall.__doc__ = f"The same with what other programs did meanwhile, for that {kind}."
    add(name, total, target=total_target)
    add(f"{name}/pause", pause, target=pause_target)
    add(f"{name}/pause-wall", pause_wall)


_register(
    "list",
    Target(1 / 1.3, "taking a list apart costs at most 1.3 times what dropping it at once costs"),
    Target(2, "no pause while a list of ten million is released is longer than 2 ms", "value"),
)
for _kind in list(SIZES)[1:]:
    _register(_kind, None, None)
