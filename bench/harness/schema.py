"""The one form of a benchmark's result, in memory and as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from . import stats

Better = Literal["lower", "higher"]


class SchemaError(ValueError):
    """A row is not what the schema says; the text names the row and the field."""


@dataclass(frozen=True)
class Row:
    """One number of Tenure's beside its peers'.

    `tenure` and every peer are medians of `n` runs. `speedup` says how many times better Tenure is,
    above 1 when ahead: the median of what it was in each of the `n` rounds, which a neighbour that
    is busy for some of them moves less than the ratio of the medians. `spread` has, under the same
    labels, what the middle half of the runs lies between ([first quartile, third quartile], in
    `unit`), and under "speedup LABEL" the 95 % confidence interval of the speedup.
    """

    name: str
    unit: str
    better: Better
    python: str
    tenure: float
    peers: Mapping[str, float]
    speedup: Mapping[str, float]
    n: int
    spread: Mapping[str, Sequence[float]]
    method: str


def make_row(
    name: str,
    unit: str,
    better: Better,
    python: str,
    tenure: Sequence[float],
    peers: Mapping[str, Sequence[float]],
    method: str,
) -> Row:
    """Reduces samples to a row; the k-th ones of all sides were taken in the same round."""
    spread = {"tenure": stats.quartiles(tenure)}
    spread |= {label: stats.quartiles(values) for label, values in peers.items()}
    speedup = {}
    for label, values in peers.items():
        rounds = [stats.times_better(a, b, better) for a, b in zip(tenure, values, strict=True)]
        speedup[label] = stats.median(rounds)
        spread[f"speedup {label}"] = stats.median_interval(rounds)
    return Row(
        name=name,
        unit=unit,
        better=better,
        python=python,
        tenure=stats.median(tenure),
        peers={label: stats.median(values) for label, values in peers.items()},
        speedup=speedup,
        n=len(tenure),
        spread={label: list(pair) for label, pair in spread.items()},
        method=method,
    )


_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "unit": str,
    "better": str,
    "python": str,
    "tenure": (int, float),
    "peers": dict,
    "speedup": dict,
    "n": int,
    "spread": dict,
    "method": str,
}


def validate(row: Any) -> None:
    """Raises SchemaError unless `row`, as read from JSON, is one of ours to the letter."""
    name = row.get("name", "?") if isinstance(row, dict) else "?"

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise SchemaError(f"row {name}: {what}")

    require(isinstance(row, dict), "not an object")
    require(row.keys() == _FIELDS.keys(), f"fields are {sorted(row)}, not {sorted(_FIELDS)}")
    for field, kind in _FIELDS.items():
        require(isinstance(row[field], kind), f"{field} is a {type(row[field]).__name__}")
    require(row["better"] in ("lower", "higher"), f"better is {row['better']!r}")
    require(row["n"] >= 1, "n is not positive")
    require(row["peers"].keys() == row["speedup"].keys(), "peers and speedup have different labels")
    numbers = [row["tenure"], *row["peers"].values(), *row["speedup"].values()]
    require(all(_is_finite(value) for value in numbers), "a value is not a finite number")
    for label, pair in row["spread"].items():
        require(
            isinstance(pair, list) and len(pair) == 2 and all(map(_is_finite, pair)),
            f"spread of {label} is not a pair of finite numbers",
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def dumps(rows: Sequence[Row]) -> str:
    """The rows as JSON text; raises SchemaError rather than writing what a reader would refuse."""
    plain = [asdict(row) for row in rows]
    for row in plain:
        validate(row)
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> list[Row]:
    plain = json.loads(text)
    if not isinstance(plain, list):
        raise SchemaError("not a list of rows")
    for row in plain:
        validate(row)
    return [Row(**row) for row in plain]


def write_file(path: Path, text: str) -> None:
    """Writes all of it or nothing; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
