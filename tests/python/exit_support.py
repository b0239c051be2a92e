"""Programs that are run to their end, and left fast, in folders of their own, to be compared."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
from dataclasses import dataclass
from pathlib import Path

from helpers import environment

# The program's first line: only a full finalization makes this file.
TEARDOWN = (
    "_teardown = type('Teardown', (), {'__del__':"
    " lambda self, open=__import__('os').open: open('torn-down', 0o101)})()\n"
)
PROGRAM = "program.py"


@dataclass(frozen=True)
class Ending:
    """What can be seen of a process from outside once it has ended."""

    status: int
    output: str
    errors: str
    files: dict[str, bytes | None]  # relative to its folder; None for folders
    was_torn_down: bool


def run(code: str, *options: str, output: int = subprocess.PIPE, **changes: str) -> Ending:
    """Runs a program by the interpreter, with options before its name."""
    with tempfile.TemporaryDirectory(prefix="tenure-test-") as name:
        folder = Path(name)
        (folder / PROGRAM).write_text(TEARDOWN + textwrap.dedent(code).lstrip("\n"))
        result = subprocess.run(
            [sys.executable, *options, PROGRAM],
            stdout=output,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            timeout=120,
            env=environment(PYTHONWARNINGS="ignore::ResourceWarning", **changes),
        )
        files = {
            str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
            for path in folder.rglob("*")
            if path.name != PROGRAM
        }
        errors = re.sub("0x[0-9a-f]+", "0x", result.stderr.decode().replace(name, "FOLDER"))
        torn_down = "torn-down" in files
        files.pop("torn-down", None)
        printed = (result.stdout or b"").decode()
        return Ending(result.returncode, printed, errors, files, torn_down)


FAST = ("-m", "tenure", "run", "--fast-exit", "-")


class ExitTest(unittest.TestCase):
    maxDiff = None

    def same(
        self, code: str, *options: str, in_full: bool = False, is_held: bool = False, **changes: object
    ) -> Ending:
        """Runs a program both ways: they must look the same from outside. Answers the fast one.

        in_full: it is to get a full finalization both ways. is_held: its globals may outlive one.
        """
        usual = run(code, *options, **changes)
        fast = run(code, *options, *FAST, **changes)
        self.assertEqual(
            (usual.status, usual.output, usual.errors, usual.files),
            (fast.status, fast.output, fast.errors, fast.files),
        )
        self.assertTrue(usual.was_torn_down or is_held)
        self.assertEqual(fast.was_torn_down, in_full)
        return fast
