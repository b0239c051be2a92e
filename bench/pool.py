"""What pools of instances save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness import loops
from harness.context import Context
from harness.interleave import HOW
from harness.registry import Target, add, benchmark
from harness.schema import Row, make_row

OWN = "pool_tenure"
C = "pool_c"
CYTHON = "pool_cython"
PYO3 = "pool_pyo3"
BINDINGS = ("pool_nanobind", CYTHON, PYO3)

LOOPS = loops.Loops("pool", modules=(OWN, C, *BINDINGS), base=C, of="an instance")
_ALLOC_ROUNDS = 60
ALIVE = 1000
GROWN = 1_000_000

# Kinds of bench/samples/pool.py that all sides have, as --list shows them.
KINDS = {
    "point": "Point(x, y) of two floats, made and dropped",
    "node": "Node(held) of an object, which the collector knows, made and dropped",
    "many-points": f"a Point of {ALIVE:,}, made in a list and dropped with it",
    "many-nodes": f"a Node of {ALIVE:,}, made in a list and dropped with it",
}
WHAT = {"point": "a point of two doubles", "node": "a node the collector knows"}
# How many are taken before they are given back, and what rows of them are called.
ALIVE_AT_ONCE = {1: "/one", 100: "", ALIVE: "/thousand"}


def _memory(ctx: Context, *arguments: object) -> Callable[[int], dict[str, Any]]:
    """What bench/samples/pool.py says of the module pool_memory."""

    def sample(hash_seed: int) -> dict[str, Any]:
        return ctx.run_sample("pool.py", "pool_memory", *arguments, env=loops.env(ctx, hash_seed))

    return sample


def _label(ctx: Context, module: str, kind: str) -> str:
    name = "C API, no pool" if module == C else LOOPS.version(ctx, module)
    if module == CYTHON or (module == PYO3 and "point" in kind):
        name += ", freelist"
    return f"{name}, {ctx.python}"


def _peers(ctx: Context, kind: str) -> dict[str, tuple[str, str]]:
    peers = {f"the same without the pool, {ctx.python}": (OWN, f"unpooled-{kind}")}
    return peers | {_label(ctx, module, kind): (module, kind) for module in (C, *BINDINGS)}


def _allocations(ctx: Context) -> dict[str, list[float]]:
    """What bench/samples/pool.py says of memory alone: a column for each kind, side and number."""

    def measure() -> dict[str, list[float]]:
        sides = {"all": _memory(ctx, "alloc", _ALLOC_ROUNDS)}
        samples = ctx.interleave("pool/alloc", sides, rounds=loops.ROUNDS)["all"]
        return {key: [sample[key] for sample in samples] for key in samples[0]}

    return ctx.once("pool alloc", measure)


def _alloc(ctx: Context, name: str, kind: str, side: str, alive: int) -> Row:
    columns = _allocations(ctx)
    peer = "PyType_GenericAlloc, PyObject_" + ("GC_Del" if kind == "node" else "Free")
    how = (
        f"of an instance of a heap type: {alive:,} taken, each by tp_alloc, and then given back, by "
        f"tp_free, with the reference to the type; ours {_HOW[side]}, CPython's by the type's "
        f"slots; the fastest of {_ALLOC_ROUNDS} chunks of 20,000, all sides in each process; {HOW}"
    )
    others = {f"{peer}, {ctx.python}": columns[f"{kind} default {alive}"]}
    own = columns[f"{kind} {side} {alive}"]
    return make_row(name, "ns", "lower", ctx.python, own, others, ctx.method(how))


_HOW = {
    "inlined": "inlined, as in classes that are bound",
    "slots": "by the type's slots too",
    "nothing": "by slots that allocate nothing and give always the same instance",
}


@benchmark(
    "pool/trim",
    target=Target(1.2, "memory falls to within 20 % of what it was", of="value"),
)
def trim(ctx: Context) -> Row:
    """Resident memory after a million instances came and went and the pool was trimmed."""

    def measure() -> list[dict[str, Any]]:
        sides = {"all": _memory(ctx, "grow", GROWN)}
        return ctx.interleave("pool/trim", sides, rounds=10)["all"]

    samples = ctx.once("pool grow", measure)

    def worst(which: int) -> list[float]:
        return [max(kind[which] / kind[0] for kind in sample.values()) for sample in samples]

    how = (
        f"of what it was before: VmRSS of a process that made {GROWN:,} points, and then as many "
        f"nodes, and dropped them, the worse of both; {HOW}"
    )
    peers = {"before they are dropped": worst(1)}
    return make_row("pool/trim", "x", "lower", ctx.python, worst(2), peers, ctx.method(how))


def _register(
    name: str, summary: str, measure: Callable[[Context], Row], target: Target | None = None
) -> None:
    measure.__doc__ = summary
    add(name, measure, target=target)


def _register_alloc(kind: str, side: str, alive: int, after: str) -> None:
    name = f"pool/alloc/{kind}{after}"
    twice = None
    if side == "inlined" and alive != 1:
        twice = Target(2, f"{name}: at least 2 times faster than CPython's default")
    summary = f"Memory for {WHAT[kind]}, taken and given back, {alive:,} at a time, {_HOW[side]}."
    _register(name, summary, lambda ctx: _alloc(ctx, name, kind, side, alive), twice)


def _register_create(kind: str, what: str) -> None:
    name = f"pool/create/{kind}"

    def time(ctx: Context) -> Row:
        return LOOPS.time_row(ctx, name, (OWN, kind), _peers(ctx, kind))

    def count(ctx: Context) -> Row:
        return LOOPS.instructions_row(
            ctx, f"{name}/instructions", (OWN, kind), _peers(ctx, kind)
        )

    faster = Target(1, f"{kind}: faster than without the pool, and than any binding")
    _register(name, f"Time of {what}.", time, faster)
    _register(f"{name}/instructions", f"Instructions of {what}.", count)


def _register_all(kinds: Mapping[str, str]) -> None:
    for kind in WHAT:
        for alive, after in ALIVE_AT_ONCE.items():
            _register_alloc(kind, "inlined", alive, after)
        _register_alloc(kind, "slots", 100, "/slots")
    # No pool can come below that by the slots.
    _register_alloc("point", "nothing", 100, "/floor")
    for kind, what in kinds.items():
        _register_create(kind, what)


_register_all(KINDS)
