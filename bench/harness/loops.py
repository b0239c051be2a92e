"""Warm loops over what bindings made, timed and counted: of the scripts call.py and pool.py of bench/samples."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import instructions, programs
from .context import SAMPLES, Context, python_argv
from .interleave import HOW
from .schema import Row, make_row

ROUNDS = 20
# A chunk is 0.2 to 4 ms: short enough for one to escape what else the machine does.
ITERATIONS = 20_000
CHUNKS = 12
_COUNTED_ITERATIONS = 1000
_COUNTED_CHUNKS = 20


def env(ctx: Context, hash_seed: int) -> dict[str, str]:
    """With the modules on the path, those of PyO3 among them."""
    folders = (programs.folder(), programs.pyo3_folder())
    return ctx.env(tenure=False, hash_seed=hash_seed, paths=folders)


@dataclass(frozen=True)
class Loops:
    """A script that runs loops of a module. A side of a row is a module and a kind of loop."""

    subject: str  # the script's name
    modules: tuple[str, ...]
    base: str  # the module whose empty loop is taken off what is counted
    of: str  # what one iteration is: "a call"

    def times(self, ctx: Context) -> dict[str, list[dict[str, Any]]]:
        """What the script says of every module in every round."""

        def side(module: str) -> Callable[[int], dict[str, Any]]:
            def sample(hash_seed: int) -> dict[str, Any]:
                arguments = (module, "time", ITERATIONS, CHUNKS, hash_seed)
                return ctx.run_sample(f"{self.subject}.py", *arguments, env=env(ctx, hash_seed))

            return sample

        def measure() -> dict[str, list[dict[str, Any]]]:
            sides = {module: side(module) for module in self.modules}
            return ctx.interleave(self.subject, sides, rounds=ROUNDS)

        return ctx.once(f"{self.subject} times", measure)

    def version(self, ctx: Context, module: str) -> str:
        return self.times(ctx)[module][0]["version"]

    def _ns(self, ctx: Context, module: str, kind: str) -> list[float]:
        samples = [sample["ns"] for sample in self.times(ctx)[module]]
        return [ns[kind] - ns["empty"] for ns in samples]

    def time_row(
        self, ctx: Context, name: str, own: tuple[str, str], peers: Mapping[str, tuple[str, str]]
    ) -> Row:
        how = (
            f"of {self.of}: the fastest of {CHUNKS} chunks of {ITERATIONS:,} after two to warm up, "
            f"less the same of an empty loop in the same process; {HOW}"
        )
        others = {label: self._ns(ctx, *side) for label, side in peers.items()}
        ns = self._ns(ctx, *own)
        return make_row(name, "ns", "lower", ctx.python, ns, others, ctx.method(how))

    def _whole(self, ctx: Context, module: str, kind: str, chunks: int) -> int:
        """Instructions of a process that runs this loop for so many chunks."""
        script = SAMPLES / f"{self.subject}.py"
        arguments = (script, module, "count", _COUNTED_ITERATIONS, chunks, kind)
        # Without site: fewer instructions before the first that count.
        argv = [sys.executable, "-S", *python_argv(*arguments)[1:]]
        return instructions.count(argv, env(ctx, hash_seed=1))

    def _count(self, ctx: Context, module: str, kind: str) -> float:
        """Instructions of an iteration, the loop's own among them."""
        subject = self.subject

        def measure() -> float:
            whole = self._whole
            without = ctx.once(f"{subject} base {module}", lambda: whole(ctx, module, "empty", 0))
            with_loop = whole(ctx, module, kind, _COUNTED_CHUNKS)
            return (with_loop - without) / (_COUNTED_CHUNKS * _COUNTED_ITERATIONS)

        return ctx.once(f"{subject} count {module} {kind}", measure)

    def instructions_row(
        self, ctx: Context, name: str, own: tuple[str, str], peers: Mapping[str, tuple[str, str]]
    ) -> Row:
        counter = instructions.counter()
        sides = {"": own, **peers}
        found = {}
        for number, (label, side) in enumerate(sides.items(), start=1):
            found[label] = [self._count(ctx, *side) - self._count(ctx, self.base, "empty")]
            ctx.progress.step(name, number, len(sides))
        ctx.progress.clear()
        how = (
            f"{counter}: of {self.of} with all that the interpreter does for it, by the difference "
            f"of a process with {_COUNTED_CHUNKS * _COUNTED_ITERATIONS:,} after warming up and one "
            "with none, less the same of an empty loop; one hash seed for all"
        )
        count = found.pop("")
        return make_row(name, "instructions", "lower", ctx.python, count, found, ctx.method(how))
