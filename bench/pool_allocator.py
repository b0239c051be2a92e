"""CPython's own memory on mimalloc, by install_allocator(), against the allocators CPython has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django_core import require_django
from harness import child, programs
from harness.context import BENCH, SAMPLES, Context
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row

# PYTHONMALLOC of each peer; free of it, the program installs ours.
PEERS = {
    "pymalloc": "pymalloc",
    "malloc": "malloc",
    "mimalloc": "mimalloc of its own",
}
TURNS = 8


def _samples(ctx: Context, work: str) -> dict[str, list[dict[str, Any]]]:
    name = "allocator_blocks" if work == "blocks" else "allocator_host"
    program = programs.folder() / name
    if not program.exists():
        raise BenchError(f"{name} is not among the programs; run this by ./dev bench")
    argv = [str(program)]
    if work != "blocks":
        argv += ["-P", str(SAMPLES / "allocator.py"), work, str(TURNS)]

    def side(allocator: str | None) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=False, hash_seed=hash_seed, paths=(BENCH,))
            if allocator is not None:
                env["PYTHONMALLOC"] = allocator
            return child.run_json(argv, env)

        return sample

    def measure() -> dict[str, list[dict[str, Any]]]:
        if work == "django":
            require_django()
        sides: dict[str, Callable[[int], dict[str, Any]]] = {"tenure": side(None)}
        sides |= {allocator: side(allocator) for allocator in PEERS}
        return ctx.interleave(f"allocator {work}", sides, rounds=12)

    return ctx.once(f"allocator {work}", measure)


def _row(ctx: Context, work: str, what: str, key: str, unit: str, how: str) -> Row:
    samples = _samples(ctx, work)
    peers = {f"{label}, {ctx.python}": column(samples[side], key) for side, label in PEERS.items()}
    return make_row(
        f"pool/allocator/{what}",
        unit,
        "lower",
        ctx.python,
        column(samples["tenure"], key),
        peers,
        ctx.method(f"{how}, in a program that embeds libpython; {HOW}"),
    )


def _time(ctx: Context, work: str, what: str) -> Row:
    return _row(ctx, work, work, "ms", "ms", f"{what}: the fastest of {TURNS} turns")


@benchmark(
    "pool/allocator/block",
    target=Target(1, "a block is no dearer than pymalloc's", against="pymalloc"),
)
def block(ctx: Context) -> Row:
    """PyObject_Malloc() and PyObject_Free() of a small block."""
    how = "PyObject_Malloc(48) and PyObject_Free(), 16 alive at a time, the fastest of 60 rounds"
    return _row(ctx, "blocks", "block", "one_ns", "ns", how)


@benchmark("pool/allocator/block-sizes")
def block_sizes(ctx: Context) -> Row:
    """The same of 16 sizes by turns, up to 616 bytes: pymalloc asks malloc() above 512."""
    how = "PyObject_Malloc() and PyObject_Free() of 16 sizes up to 616, the fastest of 60 rounds"
    return _row(ctx, "blocks", "block-sizes", "many_ns", "ns", how)


@benchmark("pool/allocator/objects")
def objects(ctx: Context) -> Row:
    """400,000 small objects made, half of them kept, and all dropped."""
    return _time(ctx, "objects", "floats, strs, tuples and instances made, kept and dropped")


@benchmark("pool/allocator/containers")
def containers(ctx: Context) -> Row:
    """Lists and dicts that grow, strs and bytes of all sizes."""
    return _time(ctx, "containers", "lists and dicts that grow, strs and bytes of all sizes")


@benchmark("pool/allocator/documents")
def documents(ctx: Context) -> Row:
    """Four times JSON of 2,000 entries, written and read."""
    return _time(ctx, "documents", "JSON written and read")


@benchmark("pool/allocator/django")
def django(ctx: Context) -> Row:
    """Queries and pages of the demo's program."""
    return _time(ctx, "django", "10 rounds of the demo's queries and pages")


@benchmark("pool/allocator/peak")
def peak(ctx: Context) -> Row:
    """The most that was resident in pool/allocator/objects."""
    how = "ru_maxrss after pool/allocator/objects"
    return _row(ctx, "objects", "peak", "peak_mib", "MiB", how)
