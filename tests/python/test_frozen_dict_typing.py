"""What type checkers know of FrozenDict."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from helpers import PACKAGE_FOLDER

RIGHT = """
from collections.abc import Mapping
from tenure import FrozenDict, json_default
import json

ages: FrozenDict[str, int] = FrozenDict({"a": 1})
more: FrozenDict[str, int] = FrozenDict(a=1, b=2)
pairs: FrozenDict[int, str] = FrozenDict([(1, "a")])
same: FrozenDict[str, int] = FrozenDict(ages)
wide: Mapping[str, object] = ages
wider: FrozenDict[str, object] = ages
age: int = ages["a"]
maybe: int | None = ages.get("a")
sure: int = ages.get("a", 0)
both: FrozenDict[str, int] = ages | {"b": 2}
plain: dict[str, int] = {"b": 2} | ages
copied: dict[str, int] = dict(ages)
keys: list[str] = [key for key in reversed(ages)]
items: list[tuple[str, int]] = list(ages.items())
numbers: FrozenDict[int, str] = FrozenDict.fromkeys(range(3), "x")
text: str = json.dumps(ages, default=json_default)
known: set[FrozenDict[str, int]] = {ages.copy()}
"""

WRONG = {
    "ages['a'] = 1": "Unsupported target for indexed assignment",
    "ages[1]": "Invalid index type",
    "del ages['a']": "no attribute \"__delitem__\"",
    "class Sub(FrozenDict[str, int]): pass": "Cannot inherit from final class",
    "ages.update({})": "no attribute \"update\"",
    "FrozenDict(1)": "No overload variant",
}


class Typing(unittest.TestCase):
    def check(self, program: str) -> tuple[int, str]:
        with tempfile.TemporaryDirectory(prefix="tenure-test-") as folder:
            (Path(folder) / "program.py").write_text(program)
            result = subprocess.run(
                # Silent about the package's own sources, which are not what is tested.
                ["mypy", "--strict", "--follow-imports=silent", "--no-incremental", "--cache-dir", os.devnull, "program.py"],
                cwd=folder,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "MYPYPATH": PACKAGE_FOLDER},
                capture_output=True,
                text=True,
                timeout=120,
            )
        return result.returncode, result.stdout + result.stderr

    def test_programs_that_are_right(self) -> None:
        self.assertEqual(self.check(RIGHT), (0, "Success: no issues found in 1 source file\n"))

    def test_programs_that_are_wrong(self) -> None:
        lines = len(RIGHT.splitlines())
        status, said = self.check(RIGHT + "\n".join(WRONG) + "\n")
        self.assertEqual(status, 1)
        for number, (line, problem) in enumerate(WRONG.items(), lines + 1):
            with self.subTest(line=line):
                about = [text for text in said.splitlines() if text.startswith(f"program.py:{number}: error:")]
                self.assertTrue(any(problem in text for text in about), said)


if __name__ == "__main__":
    unittest.main()
