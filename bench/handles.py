"""What the handles of C++ extension modules cost."""

from __future__ import annotations

import subprocess

from harness import google_benchmark, programs
from harness.context import Context
from harness.errors import BenchError
from harness.registry import Target, benchmark
from harness.schema import Row


def _rows(ctx: Context) -> dict[str, Row]:
    repetitions = 5 if ctx.quick else 21
    command = [
        str(programs.folder() / "handles"),
        "--benchmark_format=json",
        f"--benchmark_repetitions={repetitions}",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_min_time=0.05s",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"handles ended with status {done.returncode}: {done.stderr.strip()}")
    rows = google_benchmark.rows(
        done.stdout,
        group="handles",
        python=ctx.python,
        method=ctx.method("repetitions in random order, CPU time"),
    )
    return {row.name: row for row in rows}


@benchmark("handles/owned", target=Target(0.95, "an Owned costs what Py_DECREF costs"))
def owned(ctx: Context) -> Row:
    """A strong reference made and dropped through Owned, against the same in the C API."""
    return ctx.once("handles", lambda: _rows(ctx))["handles/owned"]
