"""What is built for benchmarks before they are run, by ./dev bench."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import BenchError

# The folder of the C++ programs and extension modules.
_PROGRAMS = "TENURE_BENCH_PROGRAMS"
# The folder of the libraries that the crates of bench/pyo3 are built into.
_PYO3 = "TENURE_BENCH_PYO3"


def folder() -> Path:
    return _path(_PROGRAMS, "the C++ programs are")


def pyo3_folder() -> Path:
    """Its libraries can be imported from there."""
    return _path(_PYO3, "the crates of bench/pyo3 are")


def pyo3(crate: str) -> Path:
    """The library of bench/pyo3/CRATE."""
    return pyo3_folder() / f"{crate}_pyo3.so"


def _path(variable: str, what: str) -> Path:
    path = os.environ.get(variable)
    if path is None:
        raise BenchError(f"{what} not built; run this by ./dev bench ({variable})")
    return Path(path)
