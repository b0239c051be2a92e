"""Rows from what Google Benchmark binaries print with --benchmark_format=json."""

from __future__ import annotations

import json
from collections import defaultdict

from .errors import BenchError
from .schema import Row, make_row


def rows(text: str, *, group: str, python: str, method: str) -> list[Row]:
    """The benchmarks of one run of one binary, as rows called group/NAME.

    A peer's benchmark is called as Tenure's with "@LABEL" after the name proper, before any
    arguments: `call@nanobind 2.12/3` is the peer of `call/3`. Repetitions
    (--benchmark_repetitions=N, best with --benchmark_enable_random_interleaving=true) are the
    samples; the library's own aggregates are left out. The value is the CPU time of an iteration,
    or the wall time of one that uses real time.

    Raises BenchError for a benchmark that reported an error, and for a peer without one of
    Tenure's.
    """
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    units: dict[str, str] = {}
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("run_type") == "aggregate":
            continue
        name, label = _split(entry.get("run_name", entry["name"]))
        if entry.get("error_occurred"):
            reason = entry.get("error_message") or "failed without a message"
            raise BenchError(f"{group}/{name}: {reason}")
        clock = "real_time" if "/real_time" in entry["name"] else "cpu_time"
        samples[name][label].append(float(entry[clock]))
        if units.setdefault(name, entry["time_unit"]) != entry["time_unit"]:
            raise BenchError(f"{group}/{name}: its peers are measured in different units")

    found = []
    for name, sides in samples.items():
        tenure = sides.pop("", None)
        if tenure is None:
            raise BenchError(f"{group}/{name}: only {', '.join(sides)}, no benchmark of Tenure's")
        if any(len(values) != len(tenure) for values in sides.values()):
            raise BenchError(f"{group}/{name}: its peers have other numbers of repetitions")
        how = f"Google Benchmark, {len(tenure)} repetitions; {method}"
        row = make_row(f"{group}/{name}", units[name], "lower", python, tenure, sides, how)
        found.append(row)
    return found


def _split(run_name: str) -> tuple[str, str]:
    """("call/3", "nanobind 2.12") of "call@nanobind 2.12/3"; the label is "" for Tenure's own."""
    function, slash, arguments = run_name.partition("/")
    name, _, label = function.partition("@")
    return name + slash + arguments, label
