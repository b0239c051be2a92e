"""What the subjects decref_* share: running their scripts, and what the sides are called."""

from __future__ import annotations

from typing import Any

from harness import programs
from harness.context import Context

# References that each thread pushes before a drain: fewer where two threads have to have a processor
# each until both are done. And that of the rounds with many more.
COUNTS = {1: 100_000, 2: 20_000}
MANY = 1_000_000
# Fresh processes, each with its own layout of memory, and the rounds of each.
PROCESSES = 5
ROUNDS = 20
ROUNDS_OF_MANY = 8

MUTEX_VECTOR = "std::vector under a std::mutex"


def run(ctx: Context, script: str, *args: object) -> dict[str, Any]:
    """Runs bench/samples/decref_SCRIPT.py with the extension module on its path."""
    env = ctx.env(tenure=False, paths=(programs.folder(),))
    return ctx.run_sample(f"decref_{script}.py", *args, env=env)
