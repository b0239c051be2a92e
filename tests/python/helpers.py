"""What the tests of the Python package share: folders full of modules, and `python3 -m tenure`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from collections.abc import Mapping
from pathlib import Path

import tenure

PACKAGE_FOLDER = str(Path(tenure.__file__).parent.parent)


def environment(**changes: str) -> dict[str, str]:
    """Ours, with the package under test findable; without what would change a child's output."""
    result = {**os.environ, "PYTHONPATH": PACKAGE_FOLDER, "PYTHONDONTWRITEBYTECODE": "1", **changes}
    for name in ("PYTHON_COLORS", "FORCE_COLOR", "PYTHONHASHSEED", "PYTHONOPTIMIZE"):
        if name not in changes:
            result.pop(name, None)
    return result


class ProgramTest(unittest.TestCase):
    """Tests that run whole programs, to their end."""

    # What every program begins with.
    PRELUDE = ""

    def check(self, code: str, *options: str, **changes: str) -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed.

        options: of the interpreter. changes: to its environment.
        """
        result = subprocess.run(
            [sys.executable, *options, "-c", self.PRELUDE + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment(**changes),
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout


class FolderTest(unittest.TestCase):
    """Each test has an empty folder, self.folder, that is first on sys.path."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tenure-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        path, modules, caches = list(sys.path), set(sys.modules), set(sys.path_importer_cache)
        sys.path.insert(0, str(self.folder))

        def restore() -> None:
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if hasattr(sys.modules[name], "__file__") and self._is_ours(sys.modules[name]):
                    del sys.modules[name]
            for entry in set(sys.path_importer_cache) - caches:
                sys.path_importer_cache.pop(entry, None)

        self.addCleanup(restore)

    def _is_ours(self, module: object) -> bool:
        return str(getattr(module, "__file__", "")).startswith(str(self.folder))

    def write(self, files: Mapping[str, str | bytes], folder: Path | None = None) -> None:
        """Makes files with the contents given, and the folders they are in."""
        for name, content in files.items():
            path = (folder or self.folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def files(self) -> set[str]:
        """All that is in the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def python(
        self,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        same_addresses: bool = False,
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        """Runs this interpreter in the folder.

        With same_addresses, one that is a shared library lies at the same place every time: its addresses are in
        images.
        """
        options = {"cwd": self.folder, "timeout": 120, **options}
        return subprocess.run(
            [*(("setarch", "-R") if same_addresses else ()), sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=environment(**(env or {})),
            **options,
        )

    def tenure(self, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        """Runs `python3 -m tenure` in the folder."""
        return self.python("-m", "tenure", *arguments, **options)

    def freeze(self, *arguments: object, **options: object) -> Path:
        """Freezes into the file image.tenure and returns its path."""
        result = self.tenure("freeze", *arguments, "-o", "image.tenure", **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / "image.tenure"
