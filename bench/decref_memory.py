"""What memory does when others push and nobody who is attached ever calls for a drain."""

from __future__ import annotations

from typing import Any

from decref_common import run
from harness import programs
from harness.context import Context
from harness.registry import Target, add
from harness.schema import Row, make_row

PUSHES = 100_000_000
QUICK_PUSHES = 10_000_000
# More than one attached thread can create and hand over.
PACE = 20_000_000
ROUNDS = 3

# A page: less than that is no growth, and nothing to divide by.
_LEAST_MIB = 4 / 1024


def growth_mib(sample: dict[str, Any]) -> float:
    resident = sample["resident"]
    return max((max(resident) - resident[0]) / 1024, _LEAST_MIB)


def course(sample: dict[str, Any]) -> str:
    """Such as "61 61 62 61 61": resident MiB at the start, after each quarter of the run."""
    resident = sample["resident"]
    last = len(resident) - 1
    return " ".join(f"{resident[last * quarter // 4] / 1024:.0f}" for quarter in range(5))


def memory_row(ctx: Context, name: str, threads: int, pace: int, consumer: str) -> Row:
    pushes = QUICK_PUSHES if ctx.quick else PUSHES

    def side(which: str) -> Any:
        def sample(_: int) -> dict[str, Any]:
            return run(ctx, "flood", programs.pyo3("decref"), which, threads, pushes, pace, consumer)

        return sample

    sides = {"tenure": side("sendable"), "pyo3": side("pyo3")}
    samples = ctx.interleave(name, sides, rounds=ROUNDS, warmup=0)
    own, peer = samples["tenure"], samples["pyo3"]
    seconds = ", ".join(f"{sample['seconds']:.1f}" for sample in own)
    label = f"{peer[0]['version']}, nobody attaches through it, {ctx.python}"
    how = (
        f"most resident memory less that at the start, every 5 ms; {own[0]['pushes']:,} references "
        f"pushed by {threads} thread{'s' * (threads != 1)}, "
        f"{f'at most {pace:,} a second' if pace else 'as fast as they can'}, in {seconds} s, while "
        f"{'the main thread' if consumer == 'main' else 'a worker'} runs a pure Python loop; "
        f"resident MiB over the last run {course(own[-1])}, "
        f"with {label.partition(',')[0]} {course(peer[-1])}; "
        f"most pending {max(sample['stats']['high_water'] for sample in own):,}; fresh processes"
    )
    return make_row(
        name,
        "MiB",
        "lower",
        ctx.python,
        [growth_mib(sample) for sample in own],
        {label: [growth_mib(sample) for sample in peer]},
        ctx.method(how),
    )


def _register(
    name: str,
    summary: str,
    *,
    threads: int = 1,
    pace: int = 0,
    consumer: str = "main",
    target: Target | None = None,
) -> None:
    def measure(ctx: Context) -> Row:
        return memory_row(ctx, name, threads, pace, consumer)

    measure.__doc__ = summary
    add(name, measure, target=target)


_FLAT = Target(8, "what is pushed and nobody calls a drain for takes at most 8 MiB", of="value")
_register(
    "decref/memory/paced",
    f"{PACE // 1_000_000} million pushes a second beside a main thread that only runs Python.",
    pace=PACE,
    target=_FLAT,
)
_register(
    "decref/memory/paced-worker",
    "The same beside a worker that only runs Python, while the main thread waits for it in C.",
    pace=PACE,
    consumer="worker",
    target=_FLAT,
)
_register("decref/memory/flat-out", "One thread that pushes as fast as it can.")
_register("decref/memory/flat-out-2", "Two threads that push as fast as they can.", threads=2)
