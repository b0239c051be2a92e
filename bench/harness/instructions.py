"""Counting the instructions of a program, for differences smaller than a shared machine's noise."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from . import child
from .errors import BenchError, Skip

_PERF = ("perf", "stat", "-x,", "-e", "instructions:u", "--")


@cache
def counter() -> str:
    """What counts: perf where the processor's counter can be read, else valgrind, else Skip."""
    if shutil.which("perf"):
        probe = subprocess.run([*_PERF, "true"], capture_output=True, text=True, check=False)
        if probe.returncode == 0 and perf_count(probe.stderr) is not None:
            return "perf"
    if shutil.which("valgrind"):
        return "valgrind"
    raise Skip("neither perf with a readable instruction counter nor valgrind is here")


def count(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """User-space instructions of a whole run of a program."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        if counter() == "perf":
            child.run([*_PERF[:2], "-o", str(report), *_PERF[2:], *argv], env)
            found = perf_count(report.read_text(encoding="utf-8"))
        else:
            valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--log-file={report}"]
            valgrind.append("--cachegrind-out-file=/dev/null")
            child.run([*valgrind, *argv], env)
            found = valgrind_count(report.read_text(encoding="utf-8"))
    if found is None:
        raise BenchError(f"{counter()} reported no number of instructions")
    return found


def perf_count(report: str) -> int | None:
    match = re.search(r"^(\d+),[^,]*,instructions", report, re.MULTILINE)
    return int(match[1]) if match else None


def valgrind_count(report: str) -> int | None:
    """The total of cachegrind's log."""
    match = re.search(r"I\s+refs:\s+([\d,]+)", report)
    return int(match[1].replace(",", "")) if match else None
