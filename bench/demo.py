"""The demo: the same Django program with and without its image.

Usage: demo.py [--out FOLDER] [--svg FILE]

Freezes all that demo_program.py imports, on the interpreter that runs this, then runs the program
in fresh processes with and without the image, checks that both print the same bytes, and shows what
the image saved: a table here, FOLDER/demo.json (rows in the benchmarks' schema) and
FOLDER/demo.html. Takes under a minute. Method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import demo_measure
import demo_page
from harness import report, schema
from harness.context import OUT, Context, load_average, tenure_folder
from harness.errors import BenchError
from harness.progress import Progress
from harness.schema import Row


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo", description="Runs a Django program with and without its image."
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="FOLDER", help="of demo.json and demo.html"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the chart by itself, too")
    return parser.parse_args(argv)


def measure(ctx: Context) -> demo_page.Demo:
    tenure_folder()
    subject = demo_measure.prepare(ctx)
    modules = len(subject.core.modules)
    ctx.progress.say(f"  {modules} modules frozen in {subject.core.freeze_seconds:.1f} s")
    ctx.progress.say("  running the program in fresh processes, with and without the image in turn")
    runs = demo_measure.measure_times(ctx, subject)
    output = demo_measure.check_same(runs)
    count = sum(map(len, runs.values()))
    ctx.progress.say(f"  all {count} runs printed the same {len(output.encode())} bytes")
    memory = demo_measure.measure_memory(ctx, subject)
    return demo_page.Demo(
        rows=demo_measure.rows(ctx, subject, runs, memory),
        modules=modules,
        django=demo_measure.django_version(ctx),
        python=ctx.python,
        machine=ctx.machine,
        load=load_average(),
        output=output,
    )


def table(demo: demo_page.Demo) -> str:
    """What the page shows, as text."""
    lines = [("median (middle half of the runs)", "from .pyc", "from the image", "")]
    for line in demo_page.lines(demo.rows):
        lines.append((line.title, line.peer, line.own, line.note))
    return report.table(lines)


def write(demo: demo_page.Demo, folder: Path, svg: Path | None) -> list[Path]:
    rows: Sequence[Row] = demo.rows
    files = {folder / "demo.json": schema.dumps(rows), folder / "demo.html": demo_page.html(demo)}
    if svg:
        files[svg] = demo_page.svg(demo, standalone=True)
    for path, text in files.items():
        schema.write_file(path, text)
    return list(files)


def main(argv: Sequence[str]) -> int:
    arguments = parse_arguments(argv)
    start = time.monotonic()
    try:
        with Context(Progress()) as ctx:
            ctx.progress.say(f"A Django program with and without its image, on {ctx.python}")
            try:
                demo = measure(ctx)
            except BenchError as error:
                raise BenchError(ctx.package_changed() or str(error)) from error
            if changed := ctx.package_changed():
                raise BenchError(changed)
    except BenchError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nDjango {demo.django}, {demo.modules} modules, {demo.python}")
    print(f"{demo.machine}; load {demo.load}")
    size = len(demo.output.encode())
    print(f"The program printed the same {size} bytes with the image and without it.\n")
    print(table(demo))
    files = write(demo, arguments.out, arguments.svg)
    print(f"\n{time.monotonic() - start:.0f} s; written: {', '.join(map(_shown, files))}")
    return 0


def _shown(path: Path) -> str:
    try:
        return str(path.absolute().relative_to(OUT.parent))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
