"""What the workers of a preforking server do not share, after they have answered requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import django_core
from harness import child
from harness.context import BENCH, Context, python_argv
from harness.errors import BenchError
from harness.interleave import HOW
from harness.registry import Target, benchmark
from harness.schema import Row, make_row

EXAMPLE = BENCH.parent / "examples" / "prefork_server"
DATA = "/usr/share/iso-codes/json"
REQUESTS = 1000
WORKERS = 2
ROUNDS = 7

# How the master prepares: the label, and whether it imports tenure.
WAYS: Mapping[str, tuple[str, bool]] = {
    "tenure": ("tenure", True),
    "freeze": ("gc.freeze()", False),
    "nothing": ("nothing", False),
}


def _samples(ctx: Context, warm: bool) -> dict[str, list[dict[str, Any]]]:
    def side(way: str) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            options = ["--requests", REQUESTS, "--workers", WORKERS, "--seed", hash_seed]
            argv = python_argv(EXAMPLE / "measure.py", way, *options, *["--warm"] * warm)
            result = child.run_json(argv, ctx.env(tenure=WAYS[way][1], hash_seed=hash_seed))
            if min(result["answered"].values()) < REQUESTS or bool(result["report"]) != WAYS[way][1]:
                raise BenchError(f"a server of {way} did not do what it was asked: {result}")
            return result

        return sample

    def measure() -> dict[str, list[dict[str, Any]]]:
        django_core.require_django()
        if not os.path.isdir(DATA):
            raise BenchError(f"there is no {DATA}: install iso-codes and run again")
        what = f"prefork{' warm' * warm}"
        return ctx.interleave(what, {way: side(way) for way in WAYS}, ROUNDS, warmup=1)

    return ctx.once(f"prefork {warm}", measure)


def _row(
    ctx: Context, name: str, warm: bool, count: Callable[[dict[str, Any]], float], how: str
) -> Row:
    samples = _samples(ctx, warm)
    values = {way: [count(sample) for sample in taken] for way, taken in samples.items()}
    first = "after requests of each kind in the master; " if warm else ""
    return make_row(
        name,
        "KiB",
        "lower",
        ctx.python,
        values.pop("tenure"),
        {f"{WAYS[way][0]}, {ctx.python}": column for way, column in values.items()},
        ctx.method(
            f"{how}, after each of {WORKERS} gunicorn sync workers has answered {REQUESTS} requests "
            f"to examples/prefork_server, preloaded; {first}{HOW}"
        ),
    )


def _largest_worker(sample: dict[str, Any]) -> float:
    return max(memory["private"] for memory in sample["workers"].values())


def _whole_server(sample: dict[str, Any]) -> float:
    every = [sample["master"], *sample["workers"].values()]
    return sum(memory["proportional"] for memory in every)


_HALF = Target(
    2,
    "private memory of a worker after 1,000 requests is at most half of what gc.freeze() leaves",
    against="gc.freeze()",
)
_PRIVATE = "Private_Clean + Private_Dirty of the larger worker"


@benchmark("prefork/worker", target=_HALF)
def worker(ctx: Context) -> Row:
    """Private memory of a worker, with tenure.prefork(), with gc.freeze(), and with nothing."""
    return _row(ctx, "prefork/worker", False, _largest_worker, _PRIVATE)


@benchmark("prefork/worker-warm", target=_HALF)
def worker_warm(ctx: Context) -> Row:
    """The same when the master has answered requests before it forks, on all sides."""
    return _row(ctx, "prefork/worker-warm", True, _largest_worker, _PRIVATE)


@benchmark("prefork/server")
def whole_server(ctx: Context) -> Row:
    """Memory of the whole server: each page once, however many of its processes share it."""
    return _row(ctx, "prefork/server", False, _whole_server, "Pss of master and workers, summed")
