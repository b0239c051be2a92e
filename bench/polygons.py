"""Finding the smallest polygon near each point: examples/polygons, in all its variants."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from typing import Any

from harness import child, programs
from harness.context import BENCH, Context, python_argv
from harness.errors import BenchError, Skip
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row
from harness.stats import median

MEASURE = BENCH.parent / "examples" / "polygons" / "measure.py"
ROUNDS = 12
# To measure in each process; it warms up for half as long before.
SECONDS = 0.5
TOLERANCE = 1e-9

# Each side's variant of MEASURE, and what it is called.
_SIDES = {
    "base": ("base", "polygons in a list"),
    "step1": ("step1", "the function"),
    "step2": ("step2", "the class"),
    "step3": ("step3", "nothing allocated"),
    "pyo3-naive": ("pyo3_naive", "the function"),
    "pyo3-vec": ("pyo3_vec", "the class"),
    "pyo3": ("pyo3", "nothing allocated"),
    "numba": ("numba", "polygons in a list"),
    "numba-arrays": ("numba_arrays", "arrays instead of polygons"),
    "lists": ("lists", "no NumPy"),
    "pypy": ("lists", "no NumPy"),
}

Samples = dict[str, list[dict[str, Any]]]


def _needs(ctx: Context, package: str) -> None:
    try:
        child.run(python_argv("-c", f"import {package}"), ctx.env(tenure=False))
    except BenchError:
        raise Skip(f"{package} cannot be imported by {ctx.python}") from None


def _available(ctx: Context) -> list[str]:
    """The sides that can be run: not every library is there for every interpreter."""
    _needs(ctx, "numpy")
    missing = set() if shutil.which("pypy3") else {"pypy"}
    try:
        _needs(ctx, "numba")
    except Skip:
        missing |= {"numba", "numba-arrays"}
    return [side for side in _SIDES if side not in missing]


def _sampler(ctx: Context, side: str) -> Callable[[int], dict[str, Any]]:
    variant, _ = _SIDES[side]
    folders = (programs.folder() / "polygons" / "polygons", programs.pyo3_folder())
    options = (MEASURE, variant, "--json", "--seconds", SECONDS)
    argv = ["pypy3", *map(str, options)] if side == "pypy" else python_argv(*options)

    def sample(hash_seed: int) -> dict[str, Any]:
        return child.run_json(argv, ctx.env(tenure=False, hash_seed=hash_seed, paths=folders))

    return sample


def _check(samples: Samples) -> None:
    """All sides have found what the base has."""
    expected = samples["base"][0]["areas"]
    for side, taken in samples.items():
        for sample in taken:
            areas = sample["areas"]
            if len(areas) != len(expected) or not all(
                math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                for a, b in zip(areas, expected, strict=True)
            ):
                raise BenchError(f"polygons: {side} has found other polygons than the base")


def _samples(ctx: Context) -> Samples:
    """All sides in one interleaved run."""

    def measure() -> Samples:
        sides = {side: _sampler(ctx, side) for side in _available(ctx)}
        # Each process warms up by itself.
        samples = ctx.interleave("polygons", sides, rounds=ROUNDS, warmup=1)
        _check(samples)
        return samples

    return ctx.once("polygons", measure)


def _how(ctx: Context, samples: Samples) -> str:
    base = median(column(samples["base"], "ms"))
    ratios = [f"{side} {base / median(column(taken, 'ms')):.3g}" for side, taken in samples.items()]
    firsts = [
        f"{side} {median(column(taken, 'first_ms')):.0f}"
        for side, taken in samples.items()
        if side.startswith(("numba", "pypy"))
    ]
    return ctx.method(
        "CPU time of matching 100 points with 1,000 polygons: the median of "
        f"{SECONDS:g} s of iterations after {SECONDS / 2:g} s to warm up, compiling not included "
        f"(ms of the first iteration: {', '.join(firsts)}); results equal to 1e-9; {HOW}; "
        f"times as fast as the base: {', '.join(ratios)}"
    )


def _label(samples: Samples, side: str) -> str:
    """Such as "PyO3 0.28.2, the class, CPython 3.14.8"."""
    *libraries, python = samples[side][0]["with"]
    return ", ".join([*libraries[:1], _SIDES[side][1], python])


def polygons_row(ctx: Context, name: str, side: str, peers: tuple[str, ...]) -> Row:
    """`side` is one of Tenure's; peers that are not available are left out."""
    samples = _samples(ctx)
    found = [peer for peer in peers if peer in samples]
    return make_row(
        name,
        "ms",
        "lower",
        ctx.python,
        column(samples[side], "ms"),
        {_label(samples, peer): column(samples[peer], "ms") for peer in found},
        _how(ctx, samples),
    )


@benchmark("polygons/step1")
def step1(ctx: Context) -> Row:
    """The function alone in C++, on Python's polygons; PyO3's in Rust."""
    return polygons_row(ctx, "polygons/step1", "step1", ("base", "pyo3-naive"))


@benchmark("polygons/step2")
def step2(ctx: Context) -> Row:
    """The polygons in C++ too, subclassed in Python; PyO3's in Rust."""
    return polygons_row(ctx, "polygons/step2", "step2", ("base", "pyo3-vec"))


@benchmark(
    "polygons/step3",
    target=Target(110, "with nothing allocated, at least 110 times as fast as Python with NumPy"),
)
def step3(ctx: Context) -> Row:
    """Nothing allocated for a polygon that is not near, against Python with NumPy."""
    return polygons_row(ctx, "polygons/step3", "step3", ("base",))


@benchmark("polygons/than-pyo3", target=Target(1, "with nothing allocated, faster than PyO3"))
def than_pyo3(ctx: Context) -> Row:
    """The same against the same in Rust with PyO3."""
    return polygons_row(ctx, "polygons/than-pyo3", "step3", ("pyo3",))


@benchmark("polygons/others")
def others(ctx: Context) -> Row:
    """The same against what compiles Python: Numba, PyPy; and Python without NumPy."""
    peers = ("numba", "numba-arrays", "lists", "pypy")
    return polygons_row(ctx, "polygons/others", "step3", peers)
