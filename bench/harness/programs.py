"""What is built for benchmarks before they are run, by ./dev bench."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import BenchError

# The folder of the C++ programs and extension modules.
_PROGRAMS = "TENURE_BENCH_PROGRAMS"
# The library that bench/pyo3 is built into.
_PYO3 = "TENURE_BENCH_PYO3"


def folder() -> Path:
    return _path(_PROGRAMS, "the C++ programs are")


def pyo3() -> Path:
    return _path(_PYO3, "the PyO3 library is")


def _path(variable: str, what: str) -> Path:
    path = os.environ.get(variable)
    if path is None:
        raise BenchError(f"{what} not built; run this by ./dev bench ({variable})")
    return Path(path)
