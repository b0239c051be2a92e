"""What the handles of C++ extension modules cost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from decref_memory import course, growth_mib
from harness import child, google_benchmark, instructions, programs
from harness.context import Context
from harness.errors import BenchError
from harness.registry import Target, add, benchmark
from harness.schema import Row, make_row

WORK = {
    "len": "The size of a list",
    "attribute": "An attribute by an interned name, a new reference",
    "append": "An item put to the end of a list that has room",
    "lookup": "A value of a dict by a str, a new reference",
}
TEMPORARIES = 10_000_000
# Of a thousand times each.
_COUNTED_BATCHES = (1, 51)


def _command(*options: str) -> list[str]:
    return [str(programs.folder() / "handles"), str(programs.pyo3("handles")), *options]


def _env(ctx: Context) -> dict[str, str]:
    return ctx.env(tenure=False, hash_seed=1)


def _rows(ctx: Context) -> dict[str, Row]:
    repetitions = 5 if ctx.quick else 21
    command = _command(
        "--benchmark_format=json",
        f"--benchmark_repetitions={repetitions}",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_min_time=0.05s",
    )
    done = subprocess.run(command, capture_output=True, text=True, env=_env(ctx))
    if done.returncode:
        raise BenchError(f"handles ended with status {done.returncode}: {done.stderr.strip()}")
    rows = google_benchmark.rows(
        done.stdout,
        group="handles",
        python=ctx.python,
        method=ctx.method("repetitions in random order, CPU time"),
    )
    return {row.name: row for row in rows}


def _row(ctx: Context, name: str) -> Row:
    return ctx.once("handles", lambda: _rows(ctx))[name]


@benchmark("handles/owned", target=Target(0.95, "an Owned costs what Py_DECREF costs"))
def owned(ctx: Context) -> Row:
    """A strong reference made and dropped through Owned, against the same in the C API."""
    return _row(ctx, "handles/owned")


def _count(ctx: Context, run_name: str) -> float:
    """Instructions of an iteration of one kind of work of one side, its loop's among them."""
    counts = [
        instructions.count(_command(run_name, str(batches)), _env(ctx))
        for batches in _COUNTED_BATCHES
    ]
    few, many = _COUNTED_BATCHES
    return (counts[1] - counts[0]) / (1000 * (many - few))


def _instructions_row(ctx: Context, work: str) -> Row:
    how = instructions.counter()
    name = f"handles/{work}/instructions"
    labels = _row(ctx, f"handles/{work}").peers
    found = {}
    for number, label in enumerate(["", *labels], start=1):
        found[label] = [_count(ctx, f"{work}@{label}" if label else work)]
        ctx.progress.step(name, number, 1 + len(labels))
    ctx.progress.clear()
    few, many = _COUNTED_BATCHES
    own = found.pop("")
    return make_row(
        name,
        "instructions",
        "lower",
        ctx.python,
        own,
        found,
        ctx.method(
            f"{how}: of an iteration, the loop's own among them, the difference of {many},000 and "
            f"{few},000; one hash seed for all"
        ),
    )


def _register(work: str, what: str) -> None:
    def time(ctx: Context) -> Row:
        return _row(ctx, f"handles/{work}")

    def count(ctx: Context) -> Row:
        return _instructions_row(ctx, work)

    time.__doc__ = f"{what}: through a handle, against the C API and other libraries' handles."
    count.__doc__ = f"Instructions of handles/{work}."
    add(f"handles/{work}", time)
    close = Target(0.98, f"{work}: within 2 % of the C API", against="C API")
    add(f"handles/{work}/instructions", count, target=close)


for _work, _what in WORK.items():
    _register(_work, _what)


@benchmark(
    "handles/temporaries",
    target=Target(1, "temporaries of one scope take at most 1 MiB", of="value"),
)
def temporaries(ctx: Context) -> Row:
    """Growth while one loop makes ten million ints and their strs, all dropped where they end."""

    def side(which: str) -> Callable[[int], dict[str, Any]]:
        argv = [str(programs.folder() / "handles_temporaries"), which, str(TEMPORARIES)]
        return lambda _: child.run_json(argv, _env(ctx))

    sides = {"tenure": side("tenure"), "pyo3": side(str(programs.pyo3("handles")))}
    samples = ctx.interleave("handles/temporaries", sides, rounds=3, warmup=0)
    own, peer = samples["tenure"], samples["pyo3"]
    how = (
        f"most resident memory less that at the start, after each tenth of {TEMPORARIES:,} turns "
        f"in one scope; resident MiB over the last run {course(own[-1])}, "
        f"with {peer[0]['label']} {course(peer[-1])}; fresh processes"
    )
    return make_row(
        "handles/temporaries",
        "MiB",
        "lower",
        ctx.python,
        [growth_mib(sample) for sample in own],
        {f"{peer[0]['label']}, {ctx.python}": [growth_mib(sample) for sample in peer]},
        ctx.method(how),
    )
