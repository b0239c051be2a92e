"""Django core, as the benchmarks use it: the modules, their .pyc files and their image."""

from __future__ import annotations

import importlib.util
import marshal
from dataclasses import dataclass
from pathlib import Path

from harness import images, pyc
from harness.context import Context
from harness.errors import BenchError

MODULES = (
    "django.contrib.auth.hashers",
    "django.http",
    "django.urls",
    "django.template",
    "django.db.models",
)


def require_django() -> None:
    if importlib.util.find_spec("django") is None:
        raise BenchError(
            "this interpreter has no Django: install it (Debian: python3-django) and run again"
        )


@dataclass(frozen=True)
class DjangoCore:
    image: Path
    modules: tuple[str, ...]  # that are in the image
    pyc_files: tuple[Path, ...]  # of these modules, up to date
    pyc_where: str
    freeze_seconds: float


def prepare(ctx: Context) -> DjangoCore:
    """Checks the .pyc files and freezes what importing Django core imports; once a run."""
    return ctx.once("django core", lambda: _prepare(ctx))


def _prepare(ctx: Context) -> DjangoCore:
    require_django()
    program = ("import", *MODULES)
    where = pyc.prepare(ctx, ("import", "tenure", *MODULES), tenure=True)
    image = ctx.folder / "django.tenure"
    code = "import " + ", ".join(MODULES)
    seconds = images.freeze(ctx, ("-c", code), image)
    return in_image(ctx, image, program, where, seconds)


def in_image(
    ctx: Context, image: Path, program: tuple[object, ...], where: str, seconds: float
) -> DjangoCore:
    """Matches an image with its modules' .pyc files.

    Raises BenchError when more than a tenth of either are without a counterpart.
    """
    cached = {name: file for name, _, file in pyc.modules(ctx, program, tenure=False)}
    names = images.modules(ctx, image)
    common = [name for name in names if name in cached]
    if len(common) < 0.9 * max(len(names), len(cached)):
        raise BenchError(
            f"the image has {len(names)} modules and the program imports {len(cached)} from .pyc "
            f"files, but only {len(common)} are in both: no fair comparison"
        )
    return DjangoCore(image, tuple(common), tuple(cached[name] for name in common), where, seconds)


def bundle(ctx: Context) -> Path:
    """A file with a marshalled list of the marshalled code objects of the image's modules."""

    def make() -> Path:
        path = ctx.folder / "django.marshal"
        blobs = [pyc.code_bytes(file) for file in prepare(ctx).pyc_files]
        path.write_bytes(marshal.dumps(blobs))
        return path

    return ctx.once("django bundle", make)
