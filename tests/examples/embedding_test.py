"""The example of a program that embeds Python."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path.cwd() / "examples" / "embedding" / "embedding"
GUIDE = Path.cwd() / "docs" / "pools.md"

SCRIPT = """
import sys
print(sys.argv[1:], [*map(str, range(5))])
held = [bytes(1000) for _ in range(10000)]
sys.exit(3)
"""


class EmbeddingTest(unittest.TestCase):
    def run_program(self, *arguments: str, script: str = SCRIPT, **environment: str):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(script)
            file.flush()
            return subprocess.run(
                [PROGRAM, file.name, *arguments],
                env={"PATH": os.environ["PATH"], **environment},
                capture_output=True,
                text=True,
                timeout=100,
            )

    def is_installed(self, errors: str) -> bool:
        found = re.search(r"objects: (\d+) allocations, (\d+) not freed; at most ([\d.]+) MiB", errors)
        if found is None:
            self.assertRegex(errors, "CPython's own allocator: .")
            return False
        self.assertGreater(int(found[1]), 10_000)
        self.assertGreater(float(found[3]), 9, "the script's")
        self.assertRegex(errors, r"memory: \d+ allocations")
        return True

    # A sanitizer has malloc() in place of mimalloc, and free-threaded interpreters their own.
    def test_runs_the_script(self) -> None:
        done = self.run_program("a", "b")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stdout, "['a', 'b'] ['0', '1', '2', '3', '4']\n")
        if not self.is_installed(done.stderr):
            self.assertRegex(done.stderr, "a sanitizer is to see each block|free-threaded")

    def test_another_is_asked_for(self) -> None:
        if not self.is_installed(self.run_program().stderr):
            self.skipTest("there is none to be left out")
        done = self.run_program(PYTHONMALLOC="malloc")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("own allocator: PYTHONMALLOC", done.stderr)
        self.assertFalse(self.is_installed(done.stderr))

    def test_debug_hooks(self) -> None:
        done = self.run_program(PYTHONMALLOC="debug")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.is_installed(done.stderr)

    def test_the_guide_quotes_it(self) -> None:
        text = (Path.cwd() / "examples" / "embedding" / "embedding.cc").read_text()
        quoted = re.findall(r"```cpp\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        mine = [part for part in quoted if "install_allocator" in part]
        self.assertEqual(len(mine), 1)
        for line in mine[0].splitlines():
            self.assertIn(line.strip(), text)


if __name__ == "__main__":
    unittest.main()
