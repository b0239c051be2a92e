"""What a call from Python into a binding costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from harness import instructions, programs
from harness.context import SAMPLES, Context, python_argv
from harness.interleave import HOW
from harness.registry import Target, add
from harness.schema import Row, make_row

OWN = "call_tenure"
C = "call_c"
BINDINGS = ("call_nanobind", "call_pybind11", "call_cython", "call_pyo3")

ROUNDS = 20
# A chunk is 0.2 to 4 ms: short enough for one to escape what else the machine does.
ITERATIONS = 20_000
CHUNKS = 12
_COUNTED_ITERATIONS = 1000
_COUNTED_CHUNKS = 20

# Every kind of call in bench/samples/call.py that all sides have, as --list shows it.
KINDS = {
    "nothing": "nothing(): no argument",
    "one": "one(x, /): one positional argument, any object",
    "three": "three(x, y, z), any objects, positional",
    "three-keywords": "three(x=..., y=..., z=...), the same by keyword",
    "floats": "add(x, y, z) of three floats, a float from them",
    "construct": "Vector(x, y) of two floats, made and dropped",
    "method": "vector.length2(): a method that returns a float",
    "method-argument": "vector.scale(f): a method that takes a float",
    "attribute": "vector.x: a float read",
}
CONVENTIONS = {
    "nothing": {
        "METH_NOARGS": "nothing-noargs",
        "METH_FASTCALL": "nothing-fastcall",
        "METH_FASTCALL | METH_KEYWORDS": "nothing-keywords",
    },
    "one": {
        "METH_O": "one-o",
        "METH_FASTCALL": "one-fastcall",
        "METH_FASTCALL | METH_KEYWORDS": "one-keywords",
    },
}
# What Tenure is to do in less time than any other binding.
FASTER = ("construct", "method")
_POOLED = "construct-pooled"


def _env(ctx: Context, hash_seed: int) -> dict[str, str]:
    folders = (programs.folder(), programs.pyo3_folder())
    return ctx.env(tenure=False, hash_seed=hash_seed, paths=folders)


def _times(ctx: Context) -> dict[str, list[dict[str, Any]]]:
    """What bench/samples/call.py says of every side in every round."""

    def side(module: str) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            env = _env(ctx, hash_seed)
            arguments = (module, "time", ITERATIONS, CHUNKS, hash_seed)
            return ctx.run_sample("call.py", *arguments, env=env)

        return sample

    def measure() -> dict[str, list[dict[str, Any]]]:
        sides = {module: side(module) for module in (OWN, C, *BINDINGS)}
        return ctx.interleave("call", sides, rounds=ROUNDS)

    return ctx.once("call times", measure)


def _ns(ctx: Context, module: str, kind: str) -> list[float]:
    samples = [sample["ns"] for sample in _times(ctx)[module]]
    return [ns[kind] - ns["empty"] for ns in samples]


def _label(ctx: Context, module: str) -> str:
    name = "C API" if module == C else _times(ctx)[module][0]["version"]
    return f"{name}, {ctx.python}"


def _time_row(
    ctx: Context, name: str, kind: str, peers: Mapping[str, tuple[str, str]]
) -> Row:
    """`peers` has for each label the module and its kind of call."""
    how = (
        f"of a call: the fastest of {CHUNKS} chunks of {ITERATIONS:,} calls after two to warm up, "
        f"less the same of an empty loop in the same process; {HOW}"
    )
    others = {label: _ns(ctx, *side) for label, side in peers.items()}
    own = _ns(ctx, OWN, kind)
    return make_row(name, "ns", "lower", ctx.python, own, others, ctx.method(how))


def _whole(ctx: Context, module: str, kind: str, chunks: int) -> int:
    """Instructions of a process that runs this loop for so many chunks."""
    arguments = (SAMPLES / "call.py", module, "count", _COUNTED_ITERATIONS, chunks, kind)
    # Without site: fewer instructions before the first that count.
    argv = [sys.executable, "-S", *python_argv(*arguments)[1:]]
    return instructions.count(argv, _env(ctx, hash_seed=1))


def _count(ctx: Context, module: str, kind: str) -> float:
    """Instructions of an iteration of a loop, the loop's own among them."""

    def measure() -> float:
        without = ctx.once(f"call base {module}", lambda: _whole(ctx, module, "empty", 0))
        with_loop = _whole(ctx, module, kind, _COUNTED_CHUNKS)
        return (with_loop - without) / (_COUNTED_CHUNKS * _COUNTED_ITERATIONS)

    return ctx.once(f"call count {module} {kind}", measure)


def _instructions_row(
    ctx: Context, name: str, kind: str, peers: Mapping[str, tuple[str, str]]
) -> Row:
    counter = instructions.counter()
    sides = {"": (OWN, kind), **peers}
    found = {}
    for number, (label, side) in enumerate(sides.items(), start=1):
        found[label] = [_count(ctx, *side) - _count(ctx, C, "empty")]
        ctx.progress.step(name, number, len(sides))
    ctx.progress.clear()
    how = (
        f"{counter}: of a call with all that the interpreter does for it, by the difference of a "
        f"process with {_COUNTED_CHUNKS * _COUNTED_ITERATIONS:,} calls after warming up and one "
        "with none, less the same of an empty loop; one hash seed for all"
    )
    own = found.pop("")
    return make_row(name, "instructions", "lower", ctx.python, own, found, ctx.method(how))


def _register(
    name: str, summary: str, measure: Callable[[Context], Row], target: Target | None
) -> None:
    measure.__doc__ = summary
    add(name, measure, target=target)


def _register_kind(kind: str, what: str) -> None:
    def peers(ctx: Context, modules: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        return {_label(ctx, module): (module, kind) for module in modules}

    def time(ctx: Context) -> Row:
        return _time_row(ctx, f"call/{kind}", kind, peers(ctx, (C, *BINDINGS)))

    def than_bindings(ctx: Context) -> Row:
        return _time_row(ctx, f"call/{kind}/than-bindings", kind, peers(ctx, BINDINGS))

    def count(ctx: Context) -> Row:
        name = f"call/{kind}/instructions"
        return _instructions_row(ctx, name, kind, peers(ctx, (C, *BINDINGS)))

    close = Target(0.98, f"{kind}: within 2 % of C written by hand, and of any binding")
    _register(f"call/{kind}", f"Time of {what}.", time, None)
    if kind in FASTER:
        faster = Target(1, f"{kind}: no other binding is faster")
        summary = f"call/{kind} against the other bindings alone."
        _register(f"call/{kind}/than-bindings", summary, than_bindings, faster)
    _register(f"call/{kind}/instructions", f"Instructions of {what}.", count, close)


def _register_convention(kind: str, sides: Mapping[str, str]) -> None:
    def peers(ctx: Context) -> dict[str, tuple[str, str]]:
        return {f"{label}, {ctx.python}": (C, variant) for label, variant in sides.items()}

    def time(ctx: Context) -> Row:
        return _time_row(ctx, f"call/convention/{kind}", kind, peers(ctx))

    def count(ctx: Context) -> Row:
        return _instructions_row(ctx, f"call/convention/{kind}/instructions", kind, peers(ctx))

    of = f"in each calling convention of C: {KINDS[kind]}"
    _register(f"call/convention/{kind}", f"Time {of}.", time, None)
    _register(f"call/convention/{kind}/instructions", f"Instructions {of}.", count, None)


def _pooled(ctx: Context) -> Row:
    peers = {f"{_label(ctx, 'call_cython')}, freelist": ("call_cython", _POOLED)}
    return _time_row(ctx, "call/construct/pooled", "construct", peers)


for _kind, _what in KINDS.items():
    _register_kind(_kind, _what)
for _kind, _sides in CONVENTIONS.items():
    _register_convention(_kind, _sides)
_register(
    "call/construct/pooled",
    "Vector(x, y) against Cython's with a freelist of 8, which keeps memory.",
    _pooled,
    None,
)
