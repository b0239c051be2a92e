"""Making the images that are measured."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from . import child
from .context import Context, python_argv
from .errors import BenchError


def freeze(
    ctx: Context,
    arguments: Sequence[object],
    output: Path,
    paths: tuple[Path, ...] = (),
    command: str = "freeze",
) -> float:
    """Runs `python3 -m tenure COMMAND ARGUMENTS -o OUTPUT` and returns the seconds that took.

    Raises BenchError when it fails.
    The file is on the disk afterwards: pages not yet written back count as dirty and would hide
    what is shared.
    """
    env = ctx.env(tenure=True, paths=paths)
    argv = python_argv("-m", "tenure", command, *arguments, "-o", output)
    ctx.progress.say(f"  freezing {output.name}")
    start = time.monotonic()
    child.run(argv, env)
    if not output.is_file():
        raise BenchError(f"tenure {command} ended well but wrote no {output.name}")
    write_back(output)
    return time.monotonic() - start


def write_back(file: Path) -> None:
    """Waits until the disk has it: pages that are not yet written back count as dirty."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def modules(ctx: Context, image: Path) -> list[str]:
    """The names of the modules in an image, as `tenure.load` tells them."""
    code = (
        "import sys, tenure; names = list(tenure.load(sys.argv[1]).modules); "
        "import json; print(json.dumps({'names': names}))"
    )
    return sorted(child.run_json(python_argv("-c", code, image), ctx.env(tenure=True))["names"])
