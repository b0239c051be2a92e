"""What two processes that have both imported Django core share of its image."""

from __future__ import annotations

from dataclasses import dataclass

import django_core
from harness import smaps
from harness.context import SAMPLES, Context, python_argv
from harness.errors import BenchError
from harness.registry import Target, benchmark
from harness.schema import Row, make_row
from harness.waiting import waiting

ROUNDS = 5
HOW = (
    "two fresh processes with different hash seeds, both past their imports, smaps of the image's "
    "mappings, the worse of the two; image written back to disk before; median of the pairs"
)


@dataclass(frozen=True)
class _Pair:
    image: tuple[smaps.Pages, ...]
    whole: tuple[smaps.Pages, ...]


def _pairs(ctx: Context, image: str) -> list[_Pair]:
    """Samples of two live processes; `image` is a path, or "-" for two that read .pyc files."""

    def measure() -> list[_Pair]:
        found = []
        rounds = ctx.rounds(ROUNDS)
        for number in range(rounds):
            env = ctx.env(tenure=image != "-")
            argv = python_argv(SAMPLES / "import_modules.py", "--wait", image, *django_core.MODULES)
            with waiting(argv, env, 2) as pids:
                pages = () if image == "-" else tuple(smaps.of_file(pid, image) for pid in pids)
                found.append(_Pair(pages, tuple(smaps.of_process(pid) for pid in pids)))
            ctx.progress.step("sharing/django", number + 1, rounds)
        ctx.progress.clear()
        return found

    return ctx.once(f"sharing {image}", measure)


def _image_pairs(ctx: Context) -> list[_Pair]:
    pairs = _pairs(ctx, str(django_core.prepare(ctx).image))
    if not all(pages.size for pair in pairs for pages in pair.image):
        raise BenchError("a process that imported from the image has no mapping of its file")
    return pairs


@benchmark(
    "sharing/django/of-image",
    target=Target(
        0.5, "at least half of the image's pages are shared and clean in both processes", of="value"
    ),
)
def of_image(ctx: Context) -> Row:
    """Shared_Clean of all that is mapped of the image: pages nobody touched count against it."""
    pairs = _image_pairs(ctx)
    shared = [min(p.shared_clean / p.size for p in pair.image) for pair in pairs]
    return _row(ctx, "sharing/django/of-image", shared, "Shared_Clean / Size")


@benchmark("sharing/django/of-resident")
def of_resident(ctx: Context) -> Row:
    """Shared_Clean of what is resident of the image: pages nobody touched are left out."""
    pairs = _image_pairs(ctx)
    shared = [min(p.shared_clean / p.resident for p in pair.image) for pair in pairs]
    return _row(ctx, "sharing/django/of-resident", shared, "Shared_Clean / Rss")


@benchmark("sharing/django/not-copied")
def not_copied(ctx: Context) -> Row:
    """What of the image a process did not write to and so has no copy of: 1 - Anonymous / Size."""
    pairs = _image_pairs(ctx)
    left = [min(1 - p.copied / p.size for p in pair.image) for pair in pairs]
    return _row(ctx, "sharing/django/not-copied", left, "1 - Anonymous / Size")


def _row(ctx: Context, name: str, values: list[float], formula: str) -> Row:
    return make_row(
        name, "fraction", "higher", ctx.python, values, {}, ctx.method(f"{formula}; {HOW}")
    )


@benchmark("sharing/django/private")
def private(ctx: Context) -> Row:
    """Private memory of a process that has imported Django core, from the image and from .pyc."""
    own = [max(p.private_clean + p.private_dirty for p in pair.whole) for pair in _image_pairs(ctx)]
    other = [
        max(p.private_clean + p.private_dirty for p in pair.whole) for pair in _pairs(ctx, "-")
    ]
    return make_row(
        "sharing/django/private",
        "KiB",
        "lower",
        ctx.python,
        own,
        {f".pyc, {ctx.python}": other},
        ctx.method(
            "Private_Clean + Private_Dirty of the larger of two live processes; median of pairs"
        ),
    )
