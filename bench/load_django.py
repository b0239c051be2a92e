"""Loading the image of Django core against unmarshalling the same code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_core
from harness.context import Context
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row


def _measure(ctx: Context, name: str, way: str, what: str) -> Row:
    core = django_core.prepare(ctx)
    bundle = django_core.bundle(ctx)

    def side(way: str, file: object, tenure: bool) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=tenure, hash_seed=hash_seed)
            return ctx.run_sample("load_code.py", way, file, env=env)

        return sample

    samples = ctx.interleave(
        name,
        {"tenure": side(way, core.image, True), "marshal": side("marshal", bundle, False)},
        rounds=30,
    )
    if way == "prelinked" and not all(sample["prelinked"] for sample in samples["tenure"]):
        raise BenchError(
            "the image was relocated: it is not one of this very build of the interpreter"
        )
    return make_row(
        name,
        "ms",
        "lower",
        ctx.python,
        column(samples["tenure"], "ms"),
        {f"marshal.loads, {ctx.python}": column(samples["marshal"], "ms")},
        ctx.method(
            f"perf_counter around {what}, against marshal.loads of the {len(core.modules)} code "
            "objects of the same modules' .pyc files from bytes in memory; files in the page "
            f"cache; collector as by default; {HOW}"
        ),
    )


@benchmark(
    "load/django/prelinked",
    target=Target(20, "loading the image prelinked costs at most a twentieth of marshal.loads"),
)
def prelinked(ctx: Context) -> Row:
    """tenure.load of the image alone, nothing imported, against marshal.loads of all its code."""
    return _measure(ctx, "load/django/prelinked", "prelinked", "tenure.load")


@benchmark(
    "load/django/all",
    target=Target(
        4, "loading the image and interning all it names costs at most a quarter of marshal.loads"
    ),
)
def everything(ctx: Context) -> Row:
    """tenure.load and Image.preload (interns, rebuilds every module) against marshal.loads."""
    return _measure(ctx, "load/django/all", "all", "tenure.load and Image.preload")
