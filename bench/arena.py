"""Native memory of a scope: an Arena."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import child, programs
from harness.context import Context
from harness.interleave import merge
from harness.registry import Target, add
from harness.schema import Row, make_row

# Fresh processes, each with its own layout of memory, and the rounds of each.
PROCESSES = 3
ROUNDS = {"million": 7, "scope": 20}
FIRST_ROUNDS = 12

_MIX = (
    "a million blocks, half of 16 to 48 bytes, 35 % to 128, 13 % to 512, 2 % to 2 KiB, 114 MB in "
    "all, the first word of each written and its address kept"
)
_FILL = f"wall time of an allocation: {_MIX}"
_DROP = f"wall time of the end, for each block: {_MIX}; free() in the order of allocation"
_AGAIN = "one fill after the other in a process, each in a new arena or heap"
_SCOPE = "wall time of one turn: 24, 40 and 100 bytes, the first word written, and the end; warm"


def _program(ctx: Context, *arguments: object) -> dict[str, Any]:
    argv = [str(programs.folder() / "pool_arena"), *map(str, arguments)]
    return child.run_json(argv, ctx.env(tenure=False))


def _labels(ctx: Context) -> dict[str, str]:
    found = ctx.once("pool_arena versions", lambda: _program(ctx, "versions"))
    return {
        "malloc": f"malloc and free, {found['libc']}",
        "monotonic": f"std::pmr::monotonic_buffer_resource, {found['compiler']}",
        "buffer": f"the same with a buffer on the stack, {found['compiler']}",
        "heap": f"mi_heap_malloc and mi_heap_destroy, {found['mimalloc']}",
        "own-heap": "Arena's chunks from a heap of their own, destroyed",
    }


def _samples(ctx: Context, mode: str) -> dict[str, dict[str, list[float]]]:
    def measure() -> dict[str, dict[str, list[float]]]:
        runs = []
        for number in range(PROCESSES):
            runs.append(_program(ctx, mode, ctx.rounds(ROUNDS[mode]), ctx.seed + number))
            ctx.progress.step(f"pool/arena {mode}", number + 1, PROCESSES)
        ctx.progress.clear()
        return merge(runs)

    return ctx.once(f"pool_arena {mode}", measure)


def _register(
    name: str,
    summary: str,
    mode: str,
    kind: str,
    how: str,
    peers: tuple[str, ...],
    own: str = "arena",
    target: Target | None = None,
) -> None:
    def measure(ctx: Context) -> Row:
        labels = _labels(ctx)
        found = _samples(ctx, mode)
        method = (
            f"{how}; {PROCESSES} fresh processes with {ctx.rounds(ROUNDS[mode])} rounds each after "
            "2 to warm up, sides shuffled in each round"
        )
        return make_row(
            name,
            "ns",
            "lower",
            ctx.python,
            found[own][kind],
            {labels[peer]: found[peer][kind] for peer in peers},
            ctx.method(method),
        )

    measure.__doc__ = summary
    add(name, measure, target=target)


_PEERS = ("malloc", "monotonic", "heap")

_register(
    "pool/arena/fill",
    "A million mixed allocations, not the first of their process.",
    "million",
    "fill",
    f"{_FILL}; {_AGAIN}",
    _PEERS,
    target=Target(3, "a million mixed allocations, 3 times faster than malloc()", against="malloc"),
)
_register(
    "pool/arena/teardown",
    "The end of a million mixed allocations.",
    "million",
    "drop",
    f"{_DROP}; {_AGAIN}",
    _PEERS,
    target=Target(10, "their end, 10 times faster than free()", against="malloc"),
)
_register(
    "pool/arena/refill",
    "A million mixed allocations in an arena that was reset.",
    "million",
    "fill",
    f"{_FILL}; the second fill of an arena, which was reset; peers as of pool/arena/fill",
    _PEERS,
    own="reset",
)
_register(
    "pool/arena/scope",
    "An arena, three small blocks, and its end.",
    "scope",
    "turn",
    _SCOPE,
    ("malloc", "monotonic", "buffer", "heap"),
    target=Target(1, "a small scope costs less than three malloc() and free()", against="malloc"),
)
_register(
    "pool/arena/scope/inline",
    "An InlineArena, three small blocks, and its end.",
    "scope",
    "turn",
    _SCOPE,
    ("malloc", "buffer"),
    own="inline",
)
_register(
    "pool/arena/alternatives/fill",
    "A million mixed allocations, against chunks of a heap of their own (docs/decisions/0026).",
    "million",
    "fill",
    f"{_FILL}; {_AGAIN}",
    ("own-heap",),
)
_register(
    "pool/arena/alternatives/teardown",
    "The end of a million, against chunks of a heap of their own (docs/decisions/0026).",
    "million",
    "drop",
    f"{_DROP}; {_AGAIN}",
    ("own-heap",),
)
_register(
    "pool/arena/alternatives/scope",
    "A small scope, against chunks of a heap of their own (docs/decisions/0026).",
    "scope",
    "turn",
    _SCOPE,
    ("own-heap",),
)


def _first(ctx: Context) -> Row:
    """A million mixed allocations, the first of their process."""
    labels = _labels(ctx)

    def side(which: str) -> Callable[[int], dict[str, float]]:
        return lambda _: _program(ctx, "first", which)

    sides = {which: side(which) for which in ("arena", *_PEERS)}
    samples = ctx.interleave("pool/arena/fill/first", sides, rounds=FIRST_ROUNDS, warmup=1)
    found = {which: [sample["fill"] for sample in samples[which]] for which in sides}
    how = f"{_FILL}; memory that the process never had before; fresh processes, shuffled"
    return make_row(
        "pool/arena/fill/first",
        "ns",
        "lower",
        ctx.python,
        found["arena"],
        {labels[peer]: found[peer] for peer in _PEERS},
        ctx.method(how),
    )


add("pool/arena/fill/first", _first)
