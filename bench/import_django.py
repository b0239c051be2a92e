"""Importing Django core from its image against from .pyc files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_core
from harness import child
from harness.context import Context, python_argv
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row


@benchmark(
    "import/django",
    target=Target(1.5, "Django core imports at least 1.5 times faster from its image (aim: 1.65)"),
)
def import_django(ctx: Context) -> Row:
    """Time to import the five modules, inside the process, from the image and from .pyc files.

    The image's side includes importing tenure and loading the image.
    """
    return _import_django(ctx, "import/django", [], "")


@benchmark("import/django-no-gc")
def import_django_no_gc(ctx: Context) -> Row:
    """The same with the collector off on both sides: what is left when it has nothing to skip."""
    return _import_django(ctx, "import/django-no-gc", ["--no-gc"], "gc.disable() before; ")


def _import_django(ctx: Context, name: str, options: list[str], how: str) -> Row:
    core = django_core.prepare(ctx)

    def side(image: object, tenure: bool) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=tenure, hash_seed=hash_seed)
            result = ctx.run_sample(
                "import_modules.py", *options, image, *django_core.MODULES, env=env
            )
            _check_origin(result, len(core.modules), tenure)
            return result

        return sample

    samples = ctx.interleave(
        name, {"tenure": side(core.image, True), "pyc": side("-", False)}, rounds=30
    )
    return make_row(
        name,
        "ms",
        "lower",
        ctx.python,
        column(samples["tenure"], "ms"),
        {f".pyc, {ctx.python}": column(samples["pyc"], "ms")},
        ctx.method(
            f"{how}perf_counter around the imports of {len(core.modules)} modules, with the image "
            f"around import tenure and tenure.load too; .pyc files {core.pyc_where}; {HOW}"
        ),
    )


def _check_origin(result: dict[str, Any], expected: int, tenure: bool) -> None:
    """A comparison in which the image's side reads .pyc files, or the other way round, is none."""
    got = result["image"] if tenure else result["sources"]
    if got < 0.95 * expected:
        side = "the image" if tenure else ".pyc files"
        raise BenchError(f"of {expected} modules only {got} were imported from {side}")


@benchmark("process/django")
def process_django(ctx: Context) -> Row:
    """Wall time of a whole process that does nothing but import Django core, start to exit."""
    core = django_core.prepare(ctx)
    imports = "import " + ", ".join(django_core.MODULES)
    load = f"import tenure; tenure.load({str(core.image)!r}); "

    def side(code: str, tenure: bool) -> Callable[[int], float]:
        def sample(hash_seed: int) -> float:
            env = ctx.env(tenure=tenure, hash_seed=hash_seed)
            return child.run(python_argv("-c", code), env, want_output=False)[0]

        return sample

    samples = ctx.interleave(
        "process/django",
        {"tenure": side(load + imports, True), "pyc": side(imports, False)},
        rounds=30,
    )
    return make_row(
        "process/django",
        "ms",
        "lower",
        ctx.python,
        samples["tenure"],
        {f".pyc, {ctx.python}": samples["pyc"]},
        ctx.method(
            "wall time from before the start of python -c to after its exit; "
            f".pyc files {core.pyc_where}; {HOW}"
        ),
    )
