"""The guides quote what was compiled and run.

Each block of C++ stands in an example, line by line; each block of Python is run as it is shown.
"""

from __future__ import annotations

import doctest
import re
import sys
import textwrap
import unittest
from pathlib import Path

sys.path.insert(0, str(Path.cwd() / "examples" / "bindings"))

GUIDES = (
    "bindings.md",
    "linked.md",
    "literals.md",
    "moving-from-gilpool.md",
    "moving-from-pybind11.md",
    "pools.md",
)
_CPP = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def parts(block: str) -> list[str]:
    """A block's pieces between lines that say that something was left out, without their margin."""
    pieces = re.split(r"^\s*// \.\.\.\n", block, flags=re.MULTILINE)
    return [textwrap.dedent(piece).strip("\n") for piece in pieces if piece.strip()]


def stands_in(piece: str, source: str) -> bool:
    """Whether these lines are there, with whatever margin."""
    wanted = [line.rstrip() for line in piece.splitlines()]
    lines = source.splitlines()
    for i in range(len(lines) - len(wanted) + 1):
        if textwrap.dedent("\n".join(lines[i : i + len(wanted)])).splitlines() == wanted:
            return True
    return False


class GuidesTest(unittest.TestCase):
    def test_blocks(self) -> None:
        sources = [path.read_text() for path in sorted(Path("examples").rglob("*.[ch]*"))
                   if path.suffix in (".cc", ".h")]
        self.assertGreater(len(sources), 5)
        quoted = {guide: _CPP.findall((Path("docs") / guide).read_text()) for guide in GUIDES}
        # What it says of other matters is shortened.
        front = _CPP.findall(Path("README.md").read_text())
        quoted["README.md"] = [block for block in front if "TENURE_MODULE" in block]
        for guide, blocks in quoted.items():
            self.assertTrue(blocks, guide)
            for block in blocks:
                for piece in parts(block):
                    with self.subTest(guide):
                        self.assertTrue(
                            any(stands_in(piece, source) for source in sources),
                            f"{guide} quotes what stands in no example:\n{piece}",
                        )

    def test_sessions(self) -> None:
        """All of a guide's, one after the other."""
        text = (Path("docs") / "bindings.md").read_text()
        session = "\n".join(_PYTHON.findall(text))
        test = doctest.DocTestParser().get_doctest(session, {}, "bindings.md", None, 0)
        self.assertGreater(len(test.examples), 10)
        said: list[str] = []
        runner = doctest.DocTestRunner(verbose=False)
        self.assertEqual(runner.run(test, out=said.append).failed, 0, "".join(said))

    def test_links(self) -> None:
        for guide in GUIDES:
            text = (Path("docs") / guide).read_text()
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                if target.endswith((".cc", ".md")):
                    with self.subTest(guide, target=target):
                        self.assertTrue((Path("docs") / target).exists())

    def test_the_test_itself(self) -> None:
        source = "a\n  b {\n    c\n  }\nd\n"
        self.assertTrue(stands_in("b {\n  c\n}", source))
        self.assertFalse(stands_in("b {\n c\n}", source))
        self.assertEqual(parts("  x\n\n  // ...\n  y\n"), ["x", "y"])


if __name__ == "__main__":
    unittest.main()
