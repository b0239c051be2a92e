"""Runs one variant and says what it costs, and whether its result is the base's.

Usage: measure.py [VARIANT] [--seconds N] [--json]

    ./dev run python3 examples/polygons/measure.py                 # the base
    ./dev run python3 examples/polygons/measure.py numba
    ./dev run pypy3 examples/polygons/measure.py lists

VARIANT is what follows "poly_match_" in the name of a file beside this one; variants with a module
in C++ or Rust need its folder on PYTHONPATH. --json: prints {"with": [...], "ms": of an
iteration, "first_ms": of the first one, "iterations": ..., "areas": [...]} and compares nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

BASE = "base"
LEAST_ITERATIONS = 3
TOLERANCE = 1e-9


def load(variant: str) -> Callable[[], list[float]]:
    """One iteration of a variant, on the same objects each time."""
    name = "poly_match" if variant == BASE else f"poly_match_{variant}"
    module: Any = importlib.import_module(name)
    polygons, points = module.make_example()
    return lambda: module.main(polygons, points)


def describe() -> list[str]:
    """What it ran with: the libraries, the one that matters most first; last the interpreter."""
    parts = []
    if module := sys.modules.get("polygons_pyo3"):
        parts.append(module.version)
    for name in ("Numba", "NumPy"):
        if module := sys.modules.get(name.lower()):
            parts.append(f"{name} {module.__version__}")
    version = getattr(sys, "pypy_version_info", sys.version_info)
    return [*parts, f"{platform.python_implementation()} {'.'.join(map(str, version[:3]))}"]


def timed(iteration: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """(milliseconds, the result). CPU time: what other programs do meanwhile is not counted."""
    start = process_time()
    result = iteration()
    return (process_time() - start) * 1e3, result


def repeat(iteration: Callable[[], list[float]], seconds: float) -> list[float]:
    """Milliseconds of each iteration, for so long."""
    times: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or len(times) < LEAST_ITERATIONS:
        times.append(timed(iteration)[0])
    return times


def differences(areas: list[float], expected: list[float]) -> int:
    """How many results are not the expected ones."""
    pairs = zip(areas, expected)
    wrong = sum(not math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in pairs)
    return wrong + abs(len(areas) - len(expected))


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs one variant of the polygons example.")
    parser.add_argument("variant", nargs="?", default=BASE, help="numba, lists, step1...")
    parser.add_argument("--seconds", type=float, default=1.0, help="to warm up, and to measure")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # With python -P, as benchmarks are run, it is not there.
    sys.path.insert(0, str(Path(__file__).parent))

    iteration = load(arguments.variant)
    first_ms, areas = timed(iteration)
    repeat(iteration, arguments.seconds / 2)
    times = repeat(iteration, arguments.seconds)
    if arguments.json:
        sample = {"with": describe(), "ms": statistics.median(times), "first_ms": first_ms}
        sample |= {"iterations": len(times), "areas": areas}
        print(json.dumps(sample))
        return 0
    name, with_what = arguments.variant, ", ".join(describe())
    print(f"{name}: {statistics.median(times):.3f} ms, the first {first_ms:.0f} ms ({with_what})")
    if name == BASE:
        return 0
    try:
        expected = load(BASE)()
    except ImportError:
        print("not compared with the base, which needs NumPy")
        return 0
    wrong = differences(areas, expected)
    print(f"{len(areas)} areas, {wrong or 'none'} other than the base's")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
