"""Leaving a process without taking its objects apart, against a full finalization."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import demo_measure
from harness import child
from harness.context import SAMPLES, Context, python_argv
from harness.errors import BenchError
from harness.interleave import HOW, column
from harness.registry import Target, add, benchmark
from harness.schema import Row, make_row

ROUNDS = 30
HEAPS = {"1m": 1_000_000, "10m": 10_000_000}
FILES = 500

_END = (
    "from the last statement of the program, by its clock, to the end of the process, by its parent's,"
    " which is the same"
)


def _subject(ctx: Context) -> demo_measure.Subject:
    return ctx.once("the demo's program", lambda: demo_measure.prepare(ctx))


def _same_output(samples: dict[str, list[Any]], output: Callable[[Any], str]) -> None:
    """Fails unless every run of every side printed the same."""
    expected = None
    for side, of_side in samples.items():
        for sample in of_side:
            expected = expected or output(sample)
            if not expected or output(sample) != expected:
                raise BenchError(f"{side} does not print what the others do")


@benchmark(
    "exit/django",
    target=Target(
        1.6, "the demo with its image and --fast-exit is 1.6 times faster", against=".pyc"
    ),
)
def django(ctx: Context) -> Row:
    """Wall time of the demo's program, with its image and left fast, and run by plain python."""
    subject = _subject(ctx)
    program = subject.program

    def side(tenure: bool, *arguments: object) -> Callable[[int], tuple[float, str]]:
        def sample(hash_seed: int) -> tuple[float, str]:
            env = ctx.env(tenure=tenure, hash_seed=hash_seed)
            return child.run(python_argv(*arguments), env)

        return sample

    run = ("-m", "tenure", "run")
    load = (
        f"import sys, tenure; tenure.load({str(subject.image)!r});"
        f" sys.path.insert(0, {str(program.parent)!r}); import {program.stem};"
        f" {program.stem}.main(); tenure.fast_exit()"
    )
    samples = ctx.interleave(
        "exit/django",
        {
            "tenure": side(True, *run, "--fast-exit", subject.image, program),
            "pyc": side(False, program),
            "full": side(True, *run, subject.image, program),
            "call": side(True, "-c", load),
        },
        rounds=ROUNDS,
    )
    _same_output(samples, lambda sample: sample[1])
    times = {name: [wall for wall, _ in of_side] for name, of_side in samples.items()}
    return make_row(
        "exit/django",
        "ms",
        "lower",
        ctx.python,
        times["tenure"],
        {
            f".pyc, {ctx.python}": times["pyc"],
            "the image, a full end": times["full"],
            "load() and fast_exit()": times["call"],
        },
        ctx.method(
            "wall time from before the start of the process to after its end, python -m tenure run"
            " --fast-exit IMAGE PROGRAM against python PROGRAM, the output of every run compared; .pyc"
            f" files {subject.core.pyc_where}; {HOW}"
        ),
    )


def _ends(ctx: Context, name: str, sides: dict[str, tuple[object, ...]], rounds: int) -> Any:
    """Milliseconds from the last statement to the end of the process, of each side."""

    def side(*arguments: object) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            paths = (_subject(ctx).folder,) if "django" in arguments else ()
            env = ctx.env(tenure=True, hash_seed=hash_seed, paths=paths)
            result = child.run_json(python_argv(SAMPLES / "exit_end.py", *arguments), env)
            return result | {"ms": (time.perf_counter_ns() - result["end_ns"]) / 1e6}

        return sample

    made = {label: side(*arguments) for label, arguments in sides.items()}
    return ctx.interleave(name, made, rounds=rounds, warmup=1)


def _end_row(ctx: Context, name: str, samples: dict[str, list[Any]], what: str) -> Row:
    peers = {
        f"{label}, {ctx.python}": column(of_side, "ms")
        for label, of_side in samples.items()
        if label != "tenure"
    }
    method = ctx.method(f"{_END}; {what}; {HOW}")
    return make_row(name, "ms", "lower", ctx.python, column(samples["tenure"], "ms"), peers, method)


@benchmark("exit/django/end")
def django_end(ctx: Context) -> Row:
    """What is left of that when the program has done its work."""
    image = _subject(ctx).image
    sides = {
        "tenure": ("fast", "django", image),
        "a full end": ("full", "django", image),
        "a full end, .pyc": ("full", "django", "-"),
        "os._exit()": ("at-once", "django", image),
    }
    samples = _ends(ctx, "exit/django/end", sides, ROUNDS)
    _same_output(samples, lambda sample: sample["output"])
    objects = samples["tenure"][0]["objects"]
    return _end_row(
        ctx, "exit/django/end", samples, f"the collector knows {objects:,} objects, with the image"
    )


def _register_heap(label: str, objects: int, target: Target | None) -> None:
    name = f"exit/heap/{label}"

    def heap(ctx: Context) -> Row:
        sides = {
            "tenure": ("fast", "heap", objects),
            "a full end": ("full", "heap", objects),
            "os._exit()": ("at-once", "heap", objects),
        }
        samples = _ends(ctx, name, sides, rounds=11)
        return _end_row(ctx, name, samples, f"records of ten objects each, {objects:,} in all")

    heap.__doc__ = f"The end of a process that has {objects:,} objects on its heap."
    add(name, heap, target=target)


_register_heap("1m", HEAPS["1m"], None)
_register_heap("10m", HEAPS["10m"], None)


@benchmark("exit/files")
def files(ctx: Context) -> Row:
    """The end of a process that has 500 files open with something still to be written."""
    sides = {"tenure": ("fast", "files", FILES), "a full end": ("full", "files", FILES)}
    samples = _ends(ctx, "exit/files", sides, rounds=21)
    return _end_row(ctx, "exit/files", samples, f"{FILES} text files with nine characters each")
