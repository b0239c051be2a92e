"""Makes sure that "from .pyc" means from up-to-date .pyc files of this very interpreter."""

from __future__ import annotations

import compileall
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from . import child
from .context import SAMPLES, Context, python_argv, tenure_folder
from .errors import BenchError

_HEADER_BYTES = 16
_LIST = SAMPLES / "list_modules.py"


def prepare(ctx: Context, program: Sequence[object], *, tenure: bool) -> str:
    """Sees to it that all that `program` imports has an up-to-date .pyc; says where those are.

    `program` is the arguments of samples/list_modules.py. Distributions byte-compile for some of
    their interpreters only, and their folders may not be written to; when anything is missing, all
    children use a folder of their own, filled here.
    """
    if tenure:
        # Build output; where it cannot be written to, the check below finds that out.
        compileall.compile_dir(tenure_folder() / "tenure", quiet=2)
    if not _outdated(ctx, program, tenure):
        return _where(ctx)
    if ctx.pycache is None:
        ctx.pycache = ctx.folder / "pycache"
    env = ctx.env(tenure=tenure)
    del env["PYTHONDONTWRITEBYTECODE"]
    ctx.progress.say("  filling a folder of .pyc files for this interpreter")
    child.run(python_argv(_LIST, *program), env)
    if left := _outdated(ctx, program, tenure):
        raise BenchError(
            f"no up-to-date .pyc file could be made of {left[0]} and {len(left) - 1} more modules"
        )
    return _where(ctx)


def _where(ctx: Context) -> str:
    if ctx.pycache is None:
        return "beside the sources"
    return "in a folder filled before (PYTHONPYCACHEPREFIX)"


def modules(
    ctx: Context, program: Sequence[object], *, tenure: bool
) -> list[tuple[str, Path, Path]]:
    """(name, source, .pyc) of every module that a process running `program` has a source of."""
    found = child.run_json(python_argv(_LIST, *program), ctx.env(tenure=tenure))
    return [(name, Path(source), Path(cached)) for name, source, cached in found["modules"]]


def _outdated(ctx: Context, program: Sequence[object], tenure: bool) -> list[str]:
    listed = modules(ctx, program, tenure=tenure)
    return [name for name, source, cached in listed if not is_current(source, cached)]


def is_current(source: Path, cached: Path) -> bool:
    """Whether this interpreter would use `cached` (PEP 552: by time and size, or by hash)."""
    try:
        with cached.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or header[:4] != importlib.util.MAGIC_NUMBER:
            return False
        flags = int.from_bytes(header[4:8], "little")
        if flags == 0:
            stat = source.stat()
            written = int.from_bytes(header[8:12], "little"), int.from_bytes(
                header[12:16], "little"
            )
            return written == (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
        checked = bool(flags & 0b10)
        return not checked or header[8:16] == importlib.util.source_hash(source.read_bytes())
    except OSError:
        return False


def code_bytes(cached: Path) -> bytes:
    """The marshalled code object of a .pyc file."""
    return cached.read_bytes()[_HEADER_BYTES:]
