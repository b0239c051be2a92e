"""What the commands of ``python3 -m tenure`` share."""

from __future__ import annotations

import os


class UserError(Exception):
    """Something the user can put right; its text is shown."""


def check_output(path: str) -> None:
    """Says early, before any work, that the image could not be written."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name a file with -o")
    if not os.path.isdir(folder):
        raise UserError(f"there is no folder {folder} to write the image to; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to the folder {folder}; name another place with -o")


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
