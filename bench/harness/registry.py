"""The benchmarks there are, and choosing among them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BenchError
from .schema import Row

if TYPE_CHECKING:
    from .context import Context

Measure = Callable[["Context"], Row]


@dataclass(frozen=True)
class Target:
    """What a number has to be: a row's smallest speedup, at least; or its own value, at least or,
    where less is better, at most.
    """

    limit: float
    text: str
    of: str = "speedup"  # or "value"
    against: str = ""  # which peers count: those whose labels begin so

    def value(self, row: Row) -> float:
        return row.tenure if self.of == "value" else min(row.speedup[p] for p in self._peers(row))

    def wanted(self, row: Row) -> str:
        return f"{'<=' if self._is_ceiling(row) else '>='} {self.limit:g}"

    def verdict(self, row: Row) -> str:
        """Says "holds" or "misses by x"; what another run may well turn round says so."""
        value = self.value(row)
        missing = value - self.limit if self._is_ceiling(row) else self.limit - value
        said = "holds" if missing <= 0 else f"misses by {missing:.2g}"
        if self.of == "speedup":
            intervals = [row.spread[f"speedup {label}"] for label in self._peers(row)]
            low, high = (min(interval[end] for interval in intervals) for end in (0, 1))
            if low < self.limit <= high:
                said += f" (this run's noise: {low:.3g} to {high:.3g})"
        return f"{said}: {self.text}"

    def _peers(self, row: Row) -> list[str]:
        return [label for label in row.speedup if label.startswith(self.against)]

    def _is_ceiling(self, row: Row) -> bool:
        return self.of == "value" and row.better == "lower"


@dataclass(frozen=True)
class Benchmark:
    name: str
    measure: Measure
    target: Target | None

    @property
    def summary(self) -> str:
        return (self.measure.__doc__ or "").strip().partition("\n")[0]


_benchmarks: dict[str, Benchmark] = {}


def benchmark(name: str, *, target: Target | None = None) -> Callable[[Measure], Measure]:
    """Registers a function that measures and returns one row of that name.

    The first line of its docstring is shown by --list; the whole should say what is compared and
    how.
    """

    def register(measure: Measure) -> Measure:
        add(name, measure, target=target)
        return measure

    return register


def add(name: str, measure: Measure, *, target: Target | None = None) -> None:
    """`benchmark` for functions made in a loop."""
    if name in _benchmarks:
        raise ValueError(f"two benchmarks are called {name}")
    _benchmarks[name] = Benchmark(name, measure, target)


def all_benchmarks() -> list[Benchmark]:
    return list(_benchmarks.values())


def discover(folder: Path) -> None:
    """Imports the subjects: all modules of `folder`, which is on sys.path, but the programs."""
    for path in sorted(folder.glob("*.py")):
        if path.stem != "run" and not path.stem.startswith("demo"):
            importlib.import_module(path.stem)


def select(benchmarks: Iterable[Benchmark], names: Sequence[str]) -> list[Benchmark]:
    """Those of these names, or of groups of these names ("load" has "load/django/all"); else all.

    A benchmark's own name stands for it alone, even when it is a group's too.
    Raises BenchError for a name that stands for nothing.
    """
    benchmarks = list(benchmarks)
    chosen: set[str] = set()
    for name in names:
        group = name.rstrip("/") + "/"
        found = {b.name for b in benchmarks if b.name == name}
        found = found or {b.name for b in benchmarks if b.name.startswith(group)}
        if not found:
            known = ", ".join(b.name for b in benchmarks)
            raise BenchError(f"no benchmark or group is called {name!r}; there are: {known}")
        chosen |= found
    return [b for b in benchmarks if not names or b.name in chosen]
