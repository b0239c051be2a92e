"""A document of real data: from an image, and parsed by others."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import data_document
from harness import smaps
from harness.context import SAMPLES, Context, python_argv
from harness.errors import BenchError, Skip
from harness.interleave import HOW, column
from harness.registry import Target, add, benchmark
from harness.schema import Row, make_row
from harness.waiting import waiting

ROUNDS = 30
PAIRS = 5

Samples = dict[str, list[dict[str, Any]]]


def _sides(ctx: Context) -> dict[str, tuple[str, object]]:
    """{label of a side: (way of bench/samples/data_document.py, its file)}."""
    document = data_document.prepare(ctx)
    sides: dict[str, tuple[str, object]] = {
        "json": ("json", document.json),
        "marshal": ("marshal", document.marshal),
        "pickle": ("pickle", document.pickle),
    }
    # What this interpreter has of them.
    for name in ("orjson", "ujson"):
        if importlib.util.find_spec(name) is not None:
            sides[name] = (name, document.json)
    return sides


def _measure(ctx: Context, what: str, image: object, sides: Any, *arguments: object) -> Samples:
    """Samples of an image's side, "tenure", and of others, which have to find the same."""

    def side(way: str, file: object) -> Callable[[int], dict[str, Any]]:
        def sample(hash_seed: int) -> dict[str, Any]:
            env = ctx.env(tenure=way == "tenure", hash_seed=hash_seed)
            return ctx.run_sample("data_document.py", way, file, *arguments, env=env)

        return sample

    functions = {"tenure": side("tenure", image)}
    functions |= {label: side(*way) for label, way in sides.items()}
    samples = ctx.interleave(what, functions, rounds=ROUNDS)
    for sample in samples["tenure"]:
        data_document.is_prelinked(sample)
    if len({sample["found"] for side in samples.values() for sample in side}) > 1:
        raise BenchError("what was found in the image is not what was found in the parsed document")
    return samples


def _row(ctx: Context, name: str, samples: Samples, peers: tuple[str, ...], how: str) -> Row:
    described = data_document.prepare(ctx).described
    labels = {}
    for peer in peers:
        version = samples[peer][0]["version"] if peer in ("orjson", "ujson") else ""
        labels[peer] = f"{peer}.loads{' ' + version if version else ''}, {ctx.python}"
    return make_row(
        name,
        "ms",
        "lower",
        ctx.python,
        column(samples["tenure"], "ms"),
        {labels[peer]: column(samples[peer], "ms") for peer in peers},
        ctx.method(
            f"perf_counter around {how}; {described}; their bytes in memory, the image in the page "
            f"cache; collector as by default; {HOW}"
        ),
    )


def _ready(ctx: Context, name: str, peers: tuple[str, ...]) -> Row:
    sides = _sides(ctx)
    there = tuple(peer for peer in peers if peer in sides)
    if not there:
        raise Skip(f"this interpreter has none of {', '.join(peers)}")
    image = data_document.prepare(ctx).image
    samples = ctx.once("data ready", lambda: _measure(ctx, "data/ready", image, sides))
    return _row(ctx, name, samples, there, "tenure.load(path).root, or loads()")


@benchmark(
    "data/ready/json",
    target=Target(100, "a document is ready at least 100 times faster than by json.loads"),
)
def ready_json(ctx: Context) -> Row:
    """tenure.load(path).root of a document's image against json.loads of its bytes."""
    return _ready(ctx, "data/ready/json", ("json",))


@benchmark(
    "data/ready/binary",
    target=Target(50, "and at least 50 times faster than by marshal.loads and pickle.loads"),
)
def ready_binary(ctx: Context) -> Row:
    """The same against marshal.loads and pickle.loads of the parsed document."""
    return _ready(ctx, "data/ready/binary", ("marshal", "pickle"))


@benchmark(
    "data/ready/peers", target=Target(1, "and faster than by orjson and ujson, where there are such")
)
def ready_peers(ctx: Context) -> Row:
    """The same against orjson and ujson."""
    return _ready(ctx, "data/ready/peers", ("orjson", "ujson"))


@benchmark("data/ready/builtin")
def ready_builtin(ctx: Context) -> Row:
    """An image that keeps dicts and lists, which are laid out at load, against json.loads."""
    image = data_document.image(ctx, "builtin", "--dict", "builtin", "--lists", "list")
    sides = {"json": _sides(ctx)["json"]}
    samples = _measure(ctx, "data/ready/builtin", image, sides)
    how = "tenure.load(path).root of an image with dicts and lists, or loads()"
    return _row(ctx, "data/ready/builtin", samples, ("json",), how)


@benchmark(
    "data/lookups",
    target=Target(
        30,
        f"and, {data_document.LOOKUPS:,} random lookups included, at least 30 times faster than by "
        "json.loads",
    ),
)
def lookups(ctx: Context) -> Row:
    """Making a document ready and looking up 1,000 scalars by their paths, against json.loads."""
    document = data_document.prepare(ctx)
    sides = {"json": _sides(ctx)["json"]}
    samples = _measure(ctx, "data/lookups", document.image, sides, document.paths)
    how = (
        f"tenure.load(path).root, or loads(), and following {data_document.LOOKUPS:,} random paths "
        "of interned keys and of indices to scalars, the same on both sides"
    )
    return _row(ctx, "data/lookups", samples, ("json",), how)


def _sharing(ctx: Context, name: str, image: Any, hash_seed: int | str) -> Row:
    shared = []
    rounds = ctx.rounds(PAIRS)
    argv = python_argv(SAMPLES / "data_walk.py", image)
    for number in range(rounds):
        with waiting(argv, ctx.env(tenure=True, hash_seed=hash_seed), 2) as pids:
            pages = [smaps.of_file(pid, image) for pid in pids]
        if not all(part.size for part in pages):
            raise BenchError("a process that walked the document has no mapping of its image")
        shared.append(min(part.shared_clean / part.size for part in pages))
        ctx.progress.step(name, number + 1, rounds)
    ctx.progress.clear()
    return make_row(
        name,
        "fraction",
        "higher",
        ctx.python,
        shared,
        {},
        ctx.method(
            "Shared_Clean / Size of the image's mappings; two fresh processes, "
            f"{'one hash seed' if hash_seed != 'random' else 'each with a hash seed of its own'}, "
            "that have visited every object and looked up every key; the worse of the two; image "
            "written back to disk before; median of the pairs"
        ),
    )


def _register_sharing(policy: str, least: float, image: Any, hash_seed: int | str) -> None:
    name = f"data/sharing/{policy}"

    def measure(ctx: Context) -> Row:
        return _sharing(ctx, name, image(ctx), hash_seed)

    measure.__doc__ = f"What two processes that walked a document share of its image, {policy} hashes."
    text = f"of an image with {policy} hashes two processes that walked it share {least:.0%} clean"
    add(name, measure, target=Target(least, text, of="value"))


_register_sharing("lazy", 0.6, lambda ctx: data_document.prepare(ctx).image, "random")
_register_sharing("fixed", 0.9, data_document.fixed_image, data_document.HASH_SEED)
