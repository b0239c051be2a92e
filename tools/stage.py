"""Copies a built package folder next to what other interpreters' builds have put there.

Usage: stage.py BUILT_FOLDER TARGET_FOLDER

Files are replaced by rename and only when they differ: a running process keeps the ones it has mapped, and
timestamps (so .pyc files, and images made from the package) stay valid when nothing has changed.
"""

import filecmp
import os
import pathlib
import shutil
import sys


def stage(source, target):
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    for relative in sorted(wanted):
        built, staged = source / relative, target / relative
        if staged.is_file() and filecmp.cmp(built, staged, shallow=False):
            continue
        staged.parent.mkdir(parents=True, exist_ok=True)
        temporary = staged.with_name(f".{staged.name}.{os.getpid()}")
        shutil.copyfile(built, temporary)
        temporary.chmod(0o755 if built.suffix == ".so" else 0o644)
        temporary.replace(staged)
    # Extensions of other interpreters stay.
    for staged in target.rglob("*.py"):
        if staged.relative_to(target) not in wanted:
            staged.unlink()


if __name__ == "__main__":
    stage(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
