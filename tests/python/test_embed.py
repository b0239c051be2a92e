"""`python3 -m tenure embed`: what it writes, and how it says no."""

from __future__ import annotations

import re
import subprocess
import unittest

import tenure

from helpers import FolderTest


class EmbedTest(FolderTest):
    def freeze(self, value: object, **options: object) -> None:
        tenure.freeze_data(value, self.folder / "x.tenure", **options)

    def embed(self, *arguments: object) -> dict[str, str]:
        """Runs the command and returns what it wrote."""
        result = self.tenure("embed", "x.tenure", "--name", "table", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return {line: (self.folder / line).read_text() for line in result.stdout.splitlines()}

    def refused(self, *arguments: object, says: str, status: int = 1) -> None:
        before = sorted(self.folder.iterdir())
        result = self.tenure("embed", *arguments)
        self.assertEqual((result.returncode, result.stdout), (status, ""))
        self.assertNotIn("Traceback", result.stderr)
        self.assertRegex(result.stderr, says)
        self.assertEqual(sorted(self.folder.iterdir()), before, "nothing is written")

    def test_files(self):
        self.freeze({"a": 1})
        files = self.embed()
        self.assertEqual(list(files), ["table.h", "table.cc", "table.s", "table.fixed.s"])
        self.assertIn("namespace table {", files["table.h"])
        (self.folder / "sub").mkdir()
        self.assertEqual(len(self.embed("-o", "sub")), 4)
        self.assertEqual(self.embed("-o", "sub")["sub/table.s"], files["table.s"])

    def test_views_of_roots(self):
        values = {
            "mapping": ({"a": 1}, "Mapping"),
            "truth": (True, "Bool"),
            "data": (b"bytes", "Bytes"),
            "imaginary": (1j, "Complex"),
            "ratio": (0.5, "Float"),
            "unique": ({1}, "FrozenSet"),
            "number": (1, "Int"),
            "part": (slice(3), "Slice"),
            "text": ("text", "Str"),
            "row": ([1], "Tuple"),
            "nothing": (None, "Object"),
            "span": (range(3), "Object"),
        }
        self.freeze({name: value for name, (value, _) in values.items()}, roots=True)
        found = re.findall(
            r"^inline tenure::Result<tenure::Borrowed<tenure::(\w+)>> (\w+)\(\) \{\n"
            r"  return tenure::Result<tenure::Borrowed<tenure::\1>>\(graph\.root\((\d+)\)\);\n\}",
            self.embed()["table.h"],
            re.MULTILINE,
        )
        expected = [(view, name, str(i)) for i, (name, (_, view)) in enumerate(values.items())]
        self.assertEqual(found, expected)

    def test_kept_objects(self):
        self.freeze({"a": {1}}, dicts="builtin", sets="builtin")
        files = self.embed()
        self.assertIn("tenure::Dict>> root()", files["table.h"])
        # Made anew by each interpreter, so never where they lie.
        self.assertEqual(files["table.s"], files["table.fixed.s"])

    def test_relocations(self):
        self.freeze([None, 5, "a", "text", b"x", 1000])
        files = self.embed()
        self.assertNotIn(".reloc", files["table.s"])
        targets = re.findall(
            r"^ \.reloc table\+|^ \.reloc tenure_graph_table_begin\+\d+,R_X86_64_64,(\w+)(?:\+\d+)?$",
            files["table.fixed.s"],
            re.MULTILINE,
        )
        self.assertEqual(len(targets), files["table.fixed.s"].count(".reloc"))
        self.assertLessEqual(
            {"_Py_NoneStruct", "_PyRuntime", "PyUnicode_Type", "tenure_graph_table_begin"},
            set(targets),
        )

    def test_the_assembler_takes_it(self):
        self.folder = self.folder / 'qu"ote \\ space'
        self.folder.mkdir()
        self.freeze({"a": ["text", 1000]})
        self.embed()
        for file in "table.s", "table.fixed.s":
            subprocess.run(["as", file, "-o", "table.o"], cwd=self.folder, check=True)
            shown = subprocess.run(
                ["objcopy", "-O", "binary", "--only-section=.tenure.table", "table.o", "out"],
                cwd=self.folder,
            )
            self.assertEqual(shown.returncode, 0)
            self.assertEqual(
                (self.folder / "out").read_bytes(), (self.folder / "x.tenure").read_bytes()
            )

    def test_equal_input_gives_equal_files(self):
        self.freeze({"a": 1})
        first = self.embed()
        self.freeze({"a": 1})
        self.assertEqual(self.embed(), first)

    def test_names(self):
        self.freeze(1)
        for name in "", "1x", "a-b", "ä", "class", "graph", "a__b", "a.b", "_a", "x;y":
            with self.subTest(name):
                self.refused("x.tenure", "--name", name, says="a graph cannot be called .* in C\\+\\+")
        self.freeze({"a-b": 1}, roots=True)
        self.refused("x.tenure", "--name", "x", says="a root cannot be called 'a-b' in C\\+\\+")

    def test_what_is_no_image_of_data(self):
        self.refused("x.tenure", "--name", "x", says="x.tenure.*cannot be opened")
        self.write({"x.tenure": "x" * 10000})
        self.refused("x.tenure", "--name", "x", says="is not that of a Tenure image")
        self.refused("x.tenure", says="--name", status=2)

    def test_damage(self):
        self.freeze({"a": "text"})
        path = self.folder / "x.tenure"
        damaged = bytearray(path.read_bytes())
        damaged[damaged.index(b"text")] ^= 1
        path.write_bytes(damaged)
        self.refused("x.tenure", "--name", "x", says="is damaged")

    def test_no_folder(self):
        self.freeze(1)
        self.refused("x.tenure", "--name", "x", "-o", "none", says="none/x.h: No such file")


if __name__ == "__main__":
    unittest.main()
