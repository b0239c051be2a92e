"""What objects that the compiler makes cost an extension module, against making them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import programs
from harness.context import Context
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row

# The modules of bench/cpp, and what their sides are called.
PEERS = {
    "literals_made": "made at import",
    "literals_static": "static at first use",
}
OBJECTS = "1,000 strs of 35 characters, 1,000 interned names, 1,000 ints, 500 tuples of three"


def _samples(ctx: Context) -> dict[str, list[dict[str, Any]]]:
    def side(module: str) -> Callable[[int], dict[str, Any]]:
        found = sorted(programs.folder().glob(f"{module}.cpython-*.so"))
        if not found:
            raise BenchError(f"{module} is not among the programs; run this by ./dev bench")

        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=False, hash_seed=hash_seed)
            return ctx.run_sample("literals.py", found[0], env=env)

        return sample

    sides = {module: side(module) for module in ("literals_tenure", *PEERS)}
    return ctx.once("literals", lambda: ctx.interleave("literals", sides, rounds=30))


def _row(ctx: Context, what: str, key: str, unit: str, method: str) -> Row:
    samples = _samples(ctx)
    peers = {
        f"{label}, {ctx.python}": column(samples[module], key) for module, label in PEERS.items()
    }
    if key == "name_ns":
        peers["literal::str, not a Name"] = column(samples["literals_tenure"], "name_by_text_ns")
    return make_row(
        f"literals/{what}",
        unit,
        "lower",
        ctx.python,
        column(samples["literals_tenure"], key),
        peers,
        ctx.method(f"{method}; {OBJECTS}; {HOW}"),
    )


@benchmark("literals/import")
def import_(ctx: Context) -> Row:
    """Importing a module with 3,500 objects, none of them used."""
    how = "perf_counter around loading and running the module's file, which is in the page cache"
    return _row(ctx, "import", "import_us", "us", how)


@benchmark("literals/ready")
def ready(ctx: Context) -> Row:
    """The same, with one use and one hash of each object."""
    how = "perf_counter around the import, a list of all objects, and a hash of each"
    return _row(ctx, "ready", "ready_us", "us", how)


@benchmark("literals/private")
def private(ctx: Context) -> Row:
    """Memory that the process has for itself once all objects were used."""
    how = "growth of Private_Dirty of the whole process over what literals/ready times"
    return _row(ctx, "private", "private_kib", "KiB", how)


@benchmark(
    "literals/text",
    target=Target(0.95, "using a literal str costs no more than one made at import", against="made"),
)
def text(ctx: Context) -> Row:
    """Looking up one str in a dict whose keys are equal strs."""
    how = "a 1,000th of a function that looks up 1,000 of its strs, the fastest of 300"
    return _row(ctx, "text", "text_ns", "ns", how)


@benchmark(
    "literals/name",
    target=Target(0.95, "using a Name costs no more than a str interned at import", against="made"),
)
def name(ctx: Context) -> Row:
    """Looking up one Name in a dict whose keys are interned strs."""
    how = "a 1,000th of a function that looks up 1,000 of its names, the fastest of 300"
    return _row(ctx, "name", "name_ns", "ns", how)
