"""What a call from Python into a binding costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.context import Context
from harness.loops import Loops
from harness.registry import Target, add
from harness.schema import Row

OWN = "call_tenure"
C = "call_c"
BINDINGS = ("call_nanobind", "call_pybind11", "call_cython", "call_pyo3")

LOOPS = Loops("call", modules=(OWN, C, *BINDINGS), base=C, of="a call")

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


def _label(ctx: Context, module: str) -> str:
    name = "C API" if module == C else LOOPS.version(ctx, module)
    return f"{name}, {ctx.python}"


def _register(
    name: str, summary: str, measure: Callable[[Context], Row], target: Target | None
) -> None:
    measure.__doc__ = summary
    add(name, measure, target=target)


def _register_kind(kind: str, what: str) -> None:
    def peers(ctx: Context, modules: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        return {_label(ctx, module): (module, kind) for module in modules}

    def time(ctx: Context) -> Row:
        return LOOPS.time_row(ctx, f"call/{kind}", (OWN, kind), peers(ctx, (C, *BINDINGS)))

    def than_bindings(ctx: Context) -> Row:
        return LOOPS.time_row(ctx, f"call/{kind}/than-bindings", (OWN, kind), peers(ctx, BINDINGS))

    def count(ctx: Context) -> Row:
        name = f"call/{kind}/instructions"
        return LOOPS.instructions_row(ctx, name, (OWN, kind), peers(ctx, (C, *BINDINGS)))

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
        return LOOPS.time_row(ctx, f"call/convention/{kind}", (OWN, kind), peers(ctx))

    def count(ctx: Context) -> Row:
        return LOOPS.instructions_row(ctx, f"call/convention/{kind}/instructions", (OWN, kind), peers(ctx))

    of = f"in each calling convention of C: {KINDS[kind]}"
    _register(f"call/convention/{kind}", f"Time {of}.", time, None)
    _register(f"call/convention/{kind}/instructions", f"Instructions {of}.", count, None)


def _pooled(ctx: Context) -> Row:
    peers = {f"{_label(ctx, 'call_cython')}, freelist": ("call_cython", _POOLED)}
    return LOOPS.time_row(ctx, "call/construct/pooled", (OWN, "construct"), peers)


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
