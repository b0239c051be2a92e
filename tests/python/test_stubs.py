"""`python3 -m tenure stubs`: what it writes, what type checkers make of it, and how it says no."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from tenure._stubs import StubError, stub_of

from helpers import FolderTest

EXAMPLES = str(Path.cwd() / "examples" / "bindings")


class StubsTest(FolderTest):
    def stubs(self, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        """Runs the command where the folder and the examples can be imported from."""
        code = (
            f"import sys; sys.path[:0] = [{EXAMPLES!r}]; from tenure._cli import main;"
            " sys.exit(main(['stubs', *sys.argv[1:]]))"
        )
        return self.python("-c", code, *arguments, **options)

    def written(self, *arguments: object) -> str:
        result = self.stubs(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def refused(self, *arguments: object, says: str) -> None:
        result = self.stubs(*arguments)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, rf"^tenure: {says}\n$")

    def fake(self, name: str, text: str) -> None:
        """A module that says of itself what a module of Tenure's might."""
        self.write({name.replace(".", "/") + ".py": f"def __tenure_stub__(): return {text!r}\n"})


class TextTest(StubsTest):
    def test_modules_of_the_examples(self) -> None:
        for name in ("prices", "shapes"):
            text = self.written(name)
            compile(text, name, "exec")
            self.assertEqual(text, self.written(name, "-o", "-"), "the same each time")
            self.assertTrue(text.endswith("\n"))
        body = ast.parse(self.written("prices")).body
        functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
        self.assertIn("with_tax", functions)

    def test_imports(self) -> None:
        self.assertRegex(self.written("prices"), r"(?m)^import datetime\nimport decimal\n$")
        self.assertTrue(self.written("shapes").startswith("from typing import Any\n"))

    def test_imports_are_those_of_annotations(self) -> None:
        self.fake(
            "m",
            '"""Says: x.y."""\n'
            "class Own(enum.Enum):\n"
            "    class Inner: ...\n"
            "    def f(self, a: collections.abc.Iterable[decimal.Decimal], b: Own.Inner = 1.5,"
            " *c: list[Own.Inner], d: str = 'os.path') -> None | datetime.date: ...\n"
            "v: typing.Final[int]\n",
        )
        lines = self.written("m").splitlines()
        self.assertEqual(
            lines[:8],
            [
                '"""Says: x.y."""',
                "",
                "import collections.abc",
                "import datetime",
                "import decimal",
                "import enum",
                "import typing",
                "",
            ],
        )
        self.assertEqual(lines[8], "class Own(enum.Enum):")

    def test_several_on_standard_output(self) -> None:
        self.fake("a", "def f() -> int: ...\n")
        self.fake("b", "")
        self.assertEqual(self.written("a", "b"), "# a\ndef f() -> int: ...\n# b\n")
        self.assertEqual(self.written("b"), "")

    def test_what_a_module_prints_is_not_in_it(self) -> None:
        self.fake("a", "x: int\n")
        path = self.folder / "a.py"
        path.write_text("print('hello')\n" + path.read_text())
        result = self.stubs("a")
        self.assertEqual((result.stdout, result.stderr), ("x: int\n", "hello\n"))


class FileTest(StubsTest):
    def test_files(self) -> None:
        self.write({"p/__init__.py": "", "p/q/__init__.py": ""})
        self.fake("p.q.m", "x: int\n")
        self.fake("a", "y: int\n")
        out = self.written("p.q.m", "a", "prices", "-o", "new/stubs")
        names = ["new/stubs/p/q/m.pyi", "new/stubs/a.pyi", "new/stubs/prices.pyi"]
        self.assertEqual(out.split(), names)
        self.assertEqual((self.folder / names[0]).read_text(), "x: int\n")
        self.assertEqual((self.folder / names[2]).read_text(), self.written("prices"))

    def test_file_that_is_there_is_replaced(self) -> None:
        self.fake("a", "y: int\n")
        self.write({"a.pyi": "as it was, and longer"})
        self.written("a", "-o", ".")
        self.assertEqual((self.folder / "a.pyi").read_text(), "y: int\n")

    def test_nothing_is_written_if_one_cannot_be_made(self) -> None:
        self.fake("a", "y: int\n")
        self.refused("a", "absent", "-o", "out", says="cannot import absent: .*")
        self.assertFalse((self.folder / "out").exists())

    def test_folders_that_cannot_be_written_to(self) -> None:
        self.fake("a", "")
        self.write({"file": ""})
        self.refused("a", "-o", "file", says="cannot write file/a.pyi: File exists")
        self.refused("a", "-o", "file/x", says="cannot write file/x/a.pyi: Not a directory")
        (self.folder / "a.pyi").mkdir()
        self.refused("a", "-o", ".", says="cannot write a.pyi: Is a directory")

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_folder_without_permission(self) -> None:
        self.fake("a", "")
        (self.folder / "closed").mkdir(mode=0o500)
        self.refused("a", "-o", "closed", says="cannot write closed/a.pyi: Permission denied")


class RefusedTest(StubsTest):
    def test_modules_that_cannot_be_imported(self) -> None:
        self.write({"bad.py": "1/0\n", "end.py": "raise SystemExit(3)\n", "syntax.py": "(\n"})
        self.refused("absent", says="cannot import absent: No module named 'absent'")
        self.refused("absent.m", says="cannot import absent.m: No module named 'absent'")
        self.refused("bad", says="cannot import bad: ZeroDivisionError: .*")
        self.refused("end", says="cannot import end: SystemExit: 3")
        self.refused("syntax", says="cannot import syntax: SyntaxError: .*")
        self.refused("", says="cannot import : ValueError: .*")
        self.refused(".m", says=r"cannot import \.m: TypeError: .*")

    def test_modules_of_others(self) -> None:
        self.write({"plain.py": ""})
        for name in ("plain", "json", "sys"):
            message = rf"{name} is not made with Tenure: it has no __tenure_stub__\(\)"
            self.refused(name, says=message)

    def test_stub_that_is_no_python(self) -> None:
        self.fake("m", "def f(x: weak reference) -> int: ...\n")
        self.refused(
            "m", says=r"the stub of m is not Python: .* in line 1: def f\(x: weak reference\).*"
        )
        self.write({"raising.py": "def __tenure_stub__(): raise KeyError('no')\n"})
        self.refused("raising", says="cannot describe raising: KeyError: 'no'")

    def test_usage(self) -> None:
        result = self.stubs()
        self.assertEqual(result.returncode, 2)
        self.assertIn("MODULE", result.stderr)
        self.assertIn("stubs", self.tenure("--help").stdout)

    def test_in_this_process(self) -> None:
        with self.assertRaisesRegex(StubError, "not made with Tenure"):
            stub_of("json")


@unittest.skipUnless(shutil.which("mypy"), "mypy is not there")
class TypeCheckerTest(StubsTest):
    def setUp(self) -> None:
        super().setUp()
        self.written("prices", "shapes", "-o", "stubs")

    def check(self, program: str) -> tuple[int, str]:
        self.write({"program.py": program})
        result = subprocess.run(
            ["mypy", "--no-incremental", "--cache-dir", os.devnull, "program.py"],
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "MYPYPATH": "stubs"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return result.returncode, result.stdout + result.stderr

    def test_program_that_is_right(self) -> None:
        status, said = self.check(
            """\
import datetime
import decimal

import prices
import shapes

taxed: float = prices.with_tax(100, rate=0.07)
both: decimal.Decimal = prices.sum(decimal.Decimal(1), decimal.Decimal(2))
when: datetime.date = prices.due(datetime.date(2026, 1, 30), days=3)
code: str | None = prices.currency(None)
circle = shapes.Circle(radius=2)
circle.color = 3
shape: shapes.Shape = circle
node = shapes.Node(1.0).parent
print(node.value if node is not None else shapes.Point.origin().length)


class Square(shapes.Shape):
    def name(self) -> str:
        return "square"


Square().describe()
"""
        )
        self.assertEqual(status, 0, said)

    def test_programs_that_are_wrong(self) -> None:
        for line, message in (
            ("prices.with_tax('1')", "incompatible type"),
            ("prices.with_tax(price=1)", "keyword argument"),
            ("prices.scale(1, 2, True)", "Too many positional arguments"),
            ("prices.sum(1.5, 2.5)", "incompatible type"),
            ("prices.absent()", "no attribute"),
            ("prices.currency().upper()", "None"),
            ("shapes.Circle()", "Missing positional argument"),
            ("shapes.Circle(1).radius = 2", "read-only"),
            ("shapes.Node(1).add(2).value", "None"),
        ):
            with self.subTest(line):
                status, said = self.check(f"import prices\nimport shapes\n{line}\n")
                self.assertEqual(status, 1, said)
                self.assertRegex(said, message)


if __name__ == "__main__":
    unittest.main()
