"""Measures Tenure against its peers.

Usage: run.py [NAME or group...] [--json FILE] [--list] [--runs N] [--quick] [--seed N]

Runs the benchmarks named, those of the groups named ("load", "load/django"), or all, on the
interpreter that runs it, with the package tenure on PYTHONPATH; ./dev bench sees to both.
Method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import registry, report, schema
from harness.context import BENCH, Context, load_average
from harness.errors import BenchError, Skip
from harness.progress import Progress


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measures Tenure against its peers.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a benchmark or a group; all when none is given"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--list", action="store_true", help="say what there is, measure nothing")
    parser.add_argument("--runs", type=positive, metavar="N", help="rounds of each benchmark")
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the order of the runs (default: the time)"
    )
    return parser.parse_args(argv)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("has to be at least 1")
    return value


def _is_writable(path: Path) -> bool:
    """Asked before measuring for minutes; makes the folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path.parent, os.W_OK) and not path.is_dir()


def run(
    ctx: Context, chosen: Sequence[registry.Benchmark]
) -> tuple[list[schema.Row], list[str], bool]:
    """(rows, what was not measured and why, whether anything failed).

    One benchmark that fails does not keep the others from being measured. A reason that several
    share is given in full once.
    """
    rows: list[schema.Row] = []
    notes: list[str] = []
    seen: dict[str, str] = {}
    failed = False
    for number, benchmark in enumerate(chosen, start=1):
        ctx.progress.say(f"[{number}/{len(chosen)}] {benchmark.name}")
        try:
            rows.append(benchmark.measure(ctx))
        except (BenchError, Skip) as error:
            what = "not measured" if isinstance(error, Skip) else "failed"
            failed = failed or what == "failed"
            first = seen.setdefault(str(error), benchmark.name)
            reason = str(error) if first == benchmark.name else f"as {first}"
            notes.append(f"{benchmark.name}: {what}: {reason}")
            shown = reason.splitlines()[0]
            ctx.progress.say(f"  {what}: {shown}")
    return rows, notes, failed


def main(argv: Sequence[str]) -> int:
    arguments = parse_arguments(argv)
    registry.discover(BENCH)
    try:
        chosen = registry.select(registry.all_benchmarks(), arguments.names)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        width = max(len(benchmark.name) for benchmark in chosen)
        for benchmark in chosen:
            print(f"{benchmark.name:{width}}  {benchmark.summary}")
        return 0

    if arguments.json and not _is_writable(arguments.json):
        print(
            f"bench: {arguments.json} cannot be written; choose another --json FILE",
            file=sys.stderr,
        )
        return 2
    options = {"quick": arguments.quick, "runs": arguments.runs, "seed": arguments.seed}
    with Context(Progress(), **options) as ctx:
        ctx.progress.say(f"{ctx.python} on {ctx.machine}; load {load_average()}; seed {ctx.seed}")
        rows, notes, failed = run(ctx, chosen)
        if changed := ctx.package_changed():
            failed = True
            notes.append(f"none of this counts: {changed}")
        load = load_average()

    if rows:
        print(f"{ctx.python} on {ctx.machine}; load at the end {load}\n")
        print(report.rows_table(rows))
    targets = {benchmark.name: benchmark.target for benchmark in chosen if benchmark.target}
    if verdicts := report.verdicts(rows, targets):
        print(f"\nIt must hold:\n\n{verdicts}")
    if notes:
        print("\n" * bool(rows) + "\n".join(notes))
    if arguments.json and rows:
        schema.write_file(arguments.json, schema.dumps(rows))
        print(f"\nrows written to {arguments.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
