"""A FrozenDict of many keys against a dict, once warm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import images
from harness.context import Context
from harness.errors import BenchError
from harness.registry import Target, add
from harness.schema import Row, make_row

KEYS = 100_000
PROCESSES = 15
CHUNKS = 30


def _image(ctx: Context) -> Path:
    def make() -> Path:
        source, image = ctx.folder / "table.json", ctx.folder / "table.tenure"
        source.write_text(json.dumps({f"key_{number}": number for number in range(KEYS)}))
        images.freeze(ctx, [source], image, command="freeze-data")
        return image

    return ctx.once("data table", make)


def _samples(ctx: Context) -> list[dict[str, Any]]:
    """One for each process: {side: {kind: ns}}."""

    def measure() -> list[dict[str, Any]]:
        image = _image(ctx)

        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=True, hash_seed=hash_seed)
            result = ctx.run_sample("data_table.py", image, CHUNKS, hash_seed, env=env)
            if result["type"] != "FrozenDict":
                raise BenchError(f"the table is a {result['type']}, not a FrozenDict")
            return result["ns"]

        return ctx.interleave("data table", {"both": sample}, rounds=PROCESSES, warmup=0)["both"]

    return ctx.once("data table samples", measure)


def _register(name: str, kind: str, summary: str, target: Target | None = None) -> None:
    def measure(ctx: Context) -> Row:
        samples = _samples(ctx)
        return make_row(
            name,
            "ns",
            "lower",
            ctx.python,
            [sample["frozen"][kind] for sample in samples],
            {f"dict, {ctx.python}": [sample["dict"][kind] for sample in samples]},
            ctx.method(
                f"{_HOW[kind]} in the fastest of {CHUNKS} chunks, both sides in the same fresh "
                f"process, chunks shuffled, an order of keys and a hash seed for each; {KEYS:,} str "
                "keys; median of the processes"
            ),
        )

    measure.__doc__ = summary
    add(name, measure, target=target)


_LOOKUP = "of one table[key] by an interned key less the empty loop,"
_HOW = {
    "lookup": f"{_LOOKUP} 1,000 keys over and over,",
    "lookup-all": f"{_LOOKUP} all keys in a random order,",
    "keys": "of one key, iterating over all",
    "items": "of one item, iterating over all items()",
}

_register(
    "data/warm-lookup",
    "lookup",
    "A lookup by an interned key in a FrozenDict of 100,000, warm, and in a dict.",
    Target(0.5, "a warm lookup in a FrozenDict of 100,000 takes at most twice a dict's"),
)
_register(
    "data/warm-lookup/all",
    "lookup-all",
    "The same when all keys are looked up, in a random order.",
)
for _kind in ("keys", "items"):
    _register(
        f"data/iterate/{_kind}",
        _kind,
        f"Iterating over the {_kind} of a FrozenDict of 100,000 and of a dict.",
        Target(0.9, f"iterating over the {_kind} of a FrozenDict is within 10 % of a dict's"),
    )
