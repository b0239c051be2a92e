"""The demo's measurements: one program, with and without its image."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import django_core
from harness import child, images, pyc, smaps
from harness.context import BENCH, SAMPLES, Context, python_argv
from harness.errors import BenchError
from harness.interleave import HOW
from harness.schema import Row, make_row
from harness.waiting import waiting

ROUNDS = 20
MEMORY_ROUNDS = 3
PROGRAM = "demo_program.py"
PEER = "from .pyc"
OWN = "from the image"
FAST = "from the image, left fast"


@dataclass(frozen=True)
class Subject:
    """The program in a folder of its own, and the image of all that it imports."""

    folder: Path
    image: Path
    core: django_core.DjangoCore

    @property
    def program(self) -> Path:
        return self.folder / PROGRAM


@dataclass(frozen=True)
class Run:
    output: str
    process_ms: float
    import_ms: float
    tenure_ms: float  # of importing tenure, a part of import_ms
    load_ms: float  # of tenure.load, another


def prepare(ctx: Context) -> Subject:
    """Copies the program, byte-compiles it, and freezes everything that a run of it imports."""
    django_core.require_django()
    folder = ctx.folder / "program"
    folder.mkdir()
    program = folder / PROGRAM
    shutil.copyfile(BENCH / PROGRAM, program)
    where = pyc.prepare(ctx, ("script", program), tenure=True)
    env = ctx.env(tenure=False, paths=(folder,))
    del env["PYTHONDONTWRITEBYTECODE"]
    child.run(python_argv("-c", f"import {program.stem}"), env)  # leaves its .pyc file
    image = ctx.folder / "demo.tenure"
    seconds = images.freeze(ctx, ("--trace", program), image)
    core = django_core.in_image(ctx, image, ("script", program), where, seconds)
    return Subject(folder, image, core)


def _env(
    ctx: Context, subject: Subject, tenure: bool, hash_seed: int | str = "random"
) -> dict[str, str]:
    return ctx.env(tenure=tenure, hash_seed=hash_seed, paths=(subject.folder,))


def run_once(
    ctx: Context, subject: Subject, tenure: bool, hash_seed: int, fast: bool = False
) -> Run:
    report = ctx.folder / "report"
    image = subject.image if tenure else "-"
    options = ("--fast-exit",) if fast else ()
    argv = python_argv(SAMPLES / "demo_run.py", *options, image, report)
    wall, output = child.run(argv, _env(ctx, subject, tenure, hash_seed))
    imports, importing_tenure, load = map(float, report.read_text(encoding="utf-8").split())
    return Run(output, wall, imports, importing_tenure, load)


def check_same(runs: dict[str, list[Run]]) -> str:
    """The output of all runs; raises BenchError that shows how they differ when they do."""
    expected = runs[PEER][0].output
    if not expected:
        raise BenchError("the program printed nothing")
    for label, of_label in runs.items():
        for run in of_label:
            if run.output != expected:
                raise BenchError(difference(expected, run.output, label))
    return expected


def difference(expected: str, got: str, label: str) -> str:
    """One sentence and a unified diff."""
    lines = difflib.unified_diff(
        expected.splitlines(), got.splitlines(), f"{PEER} (first run)", label, lineterm="", n=2
    )
    return "\n".join(["the program does not print the same with the image as without it:", *lines])


def measure_times(ctx: Context, subject: Subject) -> dict[str, list[Run]]:
    def side(tenure: bool, fast: bool = False) -> Callable[[int], Run]:
        return lambda hash_seed: run_once(ctx, subject, tenure, hash_seed, fast)

    sides = {OWN: side(True), FAST: side(True, fast=True), PEER: side(False)}
    return ctx.interleave("runs of the program", sides, rounds=ROUNDS)


@dataclass(frozen=True)
class Memory:
    """KiB of one of two live processes: the whole of it, and its mapping of the image."""

    whole: smaps.Pages
    image: smaps.Pages


def measure_memory(ctx: Context, subject: Subject) -> dict[str, list[Memory]]:
    """Pairs of processes that have run the program to its end and are both still there."""
    found: dict[str, list[Memory]] = {OWN: [], PEER: []}
    for number in range(MEMORY_ROUNDS):
        for label, memories in found.items():
            tenure = label != PEER
            image = subject.image if tenure else "-"
            argv = python_argv(SAMPLES / "demo_run.py", "--wait", image, ctx.folder / "report")
            with waiting(argv, _env(ctx, subject, tenure), 2) as pids:
                for pid in pids:
                    memories.append(
                        Memory(smaps.of_process(pid), smaps.of_file(pid, subject.image))
                    )
        ctx.progress.step("pairs of processes for their memory", number + 1, MEMORY_ROUNDS)
    ctx.progress.clear()
    return found


def rows(
    ctx: Context, subject: Subject, runs: dict[str, list[Run]], memory: dict[str, list[Memory]]
) -> list[Row]:
    """Everything the demo shows, in the schema of the benchmarks."""
    own, fast, other = runs[OWN], runs[FAST], runs[PEER]
    live, live_other = memory[OWN], memory[PEER]
    peer = f".pyc, {ctx.python}"
    pages = "of the image, in each of two live processes after the program, /proc/PID/smaps"

    def row(
        name: str, unit: str, tenure: list[float], against: list[float] | None, method: str
    ) -> Row:
        better = "higher" if "shared" in name else "lower"
        peers = {} if against is None else {peer: against}
        return make_row(f"demo/{name}", unit, better, ctx.python, tenure, peers, ctx.method(method))

    count = f"{len(subject.core.modules)} modules"
    return [
        row(
            "import",
            "ms",
            [run.import_ms for run in own],
            [run.import_ms for run in other],
            "perf_counter around the program's imports, with the image around import tenure and "
            f"tenure.load too; .pyc files {subject.core.pyc_where}; {HOW}",
        ),
        row(
            "process",
            "ms",
            [run.process_ms for run in own],
            [run.process_ms for run in other],
            f"wall time of the whole process, from before its start to after its exit; {HOW}",
        ),
        row(
            "process-fast",
            "ms",
            [run.process_ms for run in fast],
            [run.process_ms for run in other],
            f"the same, with tenure.fast_exit() at the end of the program with the image; {HOW}",
        ),
        row(
            "load",
            "ms",
            [run.load_ms for run in own],
            None,
            f"tenure.load alone, in the same runs; {count}; {HOW}",
        ),
        row(
            "private",
            "KiB",
            [m.whole.private_clean + m.whole.private_dirty for m in live],
            [m.whole.private_clean + m.whole.private_dirty for m in live_other],
            "Private_Clean + Private_Dirty of each of two live processes after the program",
        ),
        row("image-mapped", "KiB", [m.image.size for m in live], None, f"Size {pages}"),
        row(
            "image-shared-clean",
            "KiB",
            [m.image.shared_clean for m in live],
            None,
            f"Shared_Clean {pages}",
        ),
        row(
            "image-private",
            "KiB",
            [_private(m.image) for m in live],
            None,
            f"Private_Clean + Private_Dirty {pages}",
        ),
        row(
            "size",
            "bytes",
            [subject.image.stat().st_size],
            [sum(file.stat().st_size for file in subject.core.pyc_files)],
            f"file sizes; {count}",
        ),
    ]


def _private(pages: smaps.Pages) -> int:
    return pages.private_clean + pages.private_dirty


def django_version(ctx: Context) -> str:
    code = "import django; print(django.get_version())"
    return child.run(python_argv("-c", code), ctx.env(tenure=False))[1].strip()
