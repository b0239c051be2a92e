"""Running frozen code against running the same code from .pyc files, once warm."""

from __future__ import annotations

import compileall
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import child, images, instructions
from harness.context import BENCH, SAMPLES, Context, python_argv
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, add
from harness.schema import Row, make_row

PACKAGE = "steady_pkg"
ROUNDS = 30
CHUNKS = 25
# Iterations of a chunk: 3 to 8 ms, short enough for one to escape what else the machine does.
ITERATIONS = {"calls": 16000, "methods": 8000, "attributes": 14000, "generators": 4000}
_COUNTED_CHUNKS = (2, 8)


@dataclass(frozen=True)
class _Package:
    folder: Path  # with a copy of the package and its .pyc files
    image: Path


def _prepare(ctx: Context) -> _Package:
    def make() -> _Package:
        folder = ctx.folder / "steady"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(BENCH / PACKAGE, folder / PACKAGE, ignore=ignore)
        if not compileall.compile_dir(folder, quiet=1):
            raise BenchError(f"{PACKAGE} does not compile")
        image = ctx.folder / "steady.tenure"
        images.freeze(ctx, [PACKAGE], image, paths=(folder,))
        return _Package(folder, image)

    return ctx.once("steady", make)


def _argv(package: _Package, loop: str, tenure: bool, chunks: int) -> list[str]:
    image = package.image if tenure else "-"
    return python_argv(SAMPLES / "steady.py", image, f"{PACKAGE}.{loop}", ITERATIONS[loop], chunks)


def _env(ctx: Context, package: _Package, tenure: bool, hash_seed: int) -> dict[str, str]:
    env = ctx.env(tenure=tenure, hash_seed=hash_seed, paths=(package.folder,))
    env.pop("PYTHONPYCACHEPREFIX", None)  # the copy has its own .pyc files
    return env


def _measure_time(ctx: Context, loop: str) -> Row:
    package = _prepare(ctx)

    def side(tenure: bool) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            argv = _argv(package, loop, tenure, CHUNKS)
            result = child.run_json(argv, _env(ctx, package, tenure, hash_seed))
            if result["image"] != tenure:
                raise BenchError(f"{PACKAGE}.{loop} did not come from where it should")
            return result

        return sample

    name = f"steady/{loop}"
    samples = ctx.interleave(name, {"tenure": side(True), "pyc": side(False)}, rounds=ROUNDS)
    return make_row(
        name,
        "ns",
        "lower",
        ctx.python,
        column(samples["tenure"], "ns"),
        {f".pyc, {ctx.python}": column(samples["pyc"], "ns")},
        ctx.method(
            f"of an iteration: the fastest of {CHUNKS} chunks of {ITERATIONS[loop]} iterations "
            f"after two to warm up; {HOW}"
        ),
    )


def _measure_instructions(ctx: Context, loop: str) -> Row:
    how = instructions.counter()
    package = _prepare(ctx)
    few, many = _COUNTED_CHUNKS
    name = f"steady/{loop}/instructions"

    def per_iteration(tenure: bool) -> float:
        env = _env(ctx, package, tenure, hash_seed=1)
        counts = [instructions.count(_argv(package, loop, tenure, n), env) for n in (few, many)]
        ctx.progress.step(name, 2 - tenure, 2)
        return (counts[1] - counts[0]) / ((many - few) * ITERATIONS[loop])

    tenure, pyc = per_iteration(True), per_iteration(False)
    ctx.progress.clear()
    return make_row(
        name,
        "instructions",
        "lower",
        ctx.python,
        [tenure],
        {f".pyc, {ctx.python}": [pyc]},
        ctx.method(
            f"{how}: of an iteration, the difference of runs of {many} and {few} chunks, "
            "one hash seed for all"
        ),
    )


def _register(loop: str) -> None:
    def measure_time(ctx: Context) -> Row:
        return _measure_time(ctx, loop)

    def measure_instructions(ctx: Context) -> Row:
        return _measure_instructions(ctx, loop)

    measure_time.__doc__ = (
        f"Time of an iteration of {PACKAGE}/{loop}.py, warm, from an image and from .pyc."
    )
    measure_instructions.__doc__ = (
        f"Instructions of an iteration of {PACKAGE}/{loop}.py, which noise does not move."
    )
    target = Target(
        0.98,
        f"{loop.removesuffix('s')}-heavy code runs within 2 % of the same code from .pyc files",
    )
    add(f"steady/{loop}", measure_time, target=target)
    add(f"steady/{loop}/instructions", measure_instructions)


for _loop in ITERATIONS:
    _register(_loop)
