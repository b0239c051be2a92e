"""Millions of objects: freezing them, and ending a process that has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import child, images
from harness.context import SAMPLES, Context, python_argv
from harness.interleave import HOW, column
from harness.registry import Target, benchmark
from harness.schema import Row, make_row

OBJECTS = 10_000_000
FEWER_OBJECTS = 1_000_000
ROUNDS = 3
ROUNDS_OF_EXIT = 5
_TIMEOUT_SECONDS = 1200.0


def _run(ctx: Context, action: str, *arguments: object) -> dict[str, Any]:
    """bench/samples/data_graph.py, for actions that print what they took."""
    argv = python_argv(SAMPLES / "data_graph.py", action, *arguments)
    return child.run_json(argv, ctx.env(tenure=True), timeout=_TIMEOUT_SECONDS)


def _image(ctx: Context) -> Path:
    return ctx.folder / "graph.tenure"


def _freezes(ctx: Context) -> dict[str, list[dict[str, Any]]]:
    """Samples of freezing, of pickling, and of freezing a tenth of it; once a run."""

    def measure() -> dict[str, list[dict[str, Any]]]:
        sides: dict[str, Callable[[int], dict[str, Any]]] = {
            "tenure": lambda _: _run(ctx, "freeze", OBJECTS, _image(ctx)),
            "pickle": lambda _: _run(ctx, "pickle", OBJECTS),
            "fewer": lambda _: _run(ctx, "freeze", FEWER_OBJECTS, ctx.folder / "fewer.tenure"),
        }
        return ctx.interleave("data/freeze", sides, rounds=ROUNDS, warmup=0)

    return ctx.once("data freezes", measure)


_GRAPH = (
    f"{OBJECTS:,} objects: records that are dicts of str, int, float, a list of str, a tuple of float "
    "and bytes"
)


@benchmark(
    "data/freeze/time",
    target=Target(0.1, f"freezing {OBJECTS:,} objects takes at most 10 times pickle.dumps of them"),
)
def freeze_time(ctx: Context) -> Row:
    """tenure.freeze_data of 10 million objects to a file, against pickle.dumps of them to memory."""
    samples = _freezes(ctx)
    return make_row(
        "data/freeze/time",
        "s",
        "lower",
        ctx.python,
        column(samples["tenure"], "seconds"),
        {f"pickle.dumps, {ctx.python}": column(samples["pickle"], "seconds")},
        ctx.method(f"perf_counter around the call; {_GRAPH}; collector as by default; {HOW}"),
    )


@benchmark(
    "data/freeze/linear",
    target=Target(0.5, "an object of ten times as many takes at most twice as long to freeze"),
)
def freeze_linear(ctx: Context) -> Row:
    """Freezing one object of 10 million against one of 1 million."""
    samples = _freezes(ctx)

    def per_object(side: str) -> list[float]:
        return [sample["seconds"] * 1e9 / sample["objects"] for sample in samples[side]]

    return make_row(
        "data/freeze/linear",
        "ns",
        "lower",
        ctx.python,
        per_object("tenure"),
        {f"of {FEWER_OBJECTS:,} objects, {ctx.python}": per_object("fewer")},
        ctx.method(f"seconds of tenure.freeze_data for each object; {_GRAPH}; {HOW}"),
    )


@benchmark(
    "data/freeze/memory",
    target=Target(3, "freezing takes at most 3 times the graph's size in memory", of="value"),
)
def freeze_memory(ctx: Context) -> Row:
    """What resident memory grows by at most while freezing, in sizes of the graph in memory."""
    samples = _freezes(ctx)

    def growth(side: str) -> list[float]:
        return [sample["growth_kib"] / sample["graph_kib"] for sample in samples[side]]

    kib = samples["tenure"][0]["graph_kib"]
    return make_row(
        "data/freeze/memory",
        "graphs",
        "lower",
        ctx.python,
        growth("tenure"),
        {f"pickle.dumps, {ctx.python}": growth("pickle")},
        ctx.method(
            f"VmHWM while freezing less VmRSS before, over what VmRSS grew by when the graph was "
            f"made ({kib / 1024:,.0f} MiB); {_GRAPH}; {HOW}"
        ),
    )


@benchmark(
    "data/exit",
    target=Target(20, f"a process with {OBJECTS:,} objects of an image ends 20 times faster"),
)
def exit_time(ctx: Context) -> Row:
    """From the last statement of a process that has 10 million objects to its end."""
    image = _image(ctx)
    if not image.exists():
        _run(ctx, "freeze", OBJECTS, image)
    images.write_back(image)

    def side(*arguments: object) -> Callable[[int], float]:
        def sample(hash_seed: int) -> float:
            argv = python_argv(SAMPLES / "data_graph.py", *arguments)
            env = ctx.env(tenure=True, hash_seed=hash_seed)
            last = child.run_json(argv, env, timeout=_TIMEOUT_SECONDS)["end_ns"]
            return (time.perf_counter_ns() - last) / 1e6

        return sample

    samples = ctx.interleave(
        "data/exit",
        {"tenure": side("hold-image", image), "heap": side("hold-heap", OBJECTS)},
        rounds=ROUNDS_OF_EXIT,
        warmup=1,
    )
    return make_row(
        "data/exit",
        "ms",
        "lower",
        ctx.python,
        samples["tenure"],
        {f"the graph on the heap, {ctx.python}": samples["heap"]},
        ctx.method(
            f"from the last statement of the program, by its clock, to the end of the process, by its "
            f"parent's, which is the same; {_GRAPH}; {HOW}"
        ),
    )
