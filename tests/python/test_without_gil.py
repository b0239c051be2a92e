"""What free-threaded interpreters can do with images, and how they say no; of interpreters with a GIL, the opposite."""

from __future__ import annotations

import struct
import sys
import sysconfig
import unittest
from pathlib import Path

import tenure
from tenure import _tenure

from helpers import FolderTest

HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")
NO_CODE = "free-threaded CPython's code objects cannot be in an image; freeze data, or use a CPython with a GIL"

# Of the header: where its checksum is, and whether the interpreter that made it had a GIL.
CHECKSUM = 16
FREE_THREADED = 80
PAGE = 4096


class GilTest(FolderTest):
    def test_importing_and_loading_leave_it_off(self):
        tenure.freeze_data({"a": [1, 2]}, self.folder / "x.tenure")
        code = "import sys, tenure; print(tenure.load('x.tenure').root['a'], sys._is_gil_enabled())"
        result = self.python("-c", code)
        self.assertEqual((result.stdout, result.stderr), (f"(1, 2) {HAS_GIL}\n", ""))


class OtherKindTest(FolderTest):
    """Data frozen with a GIL cannot be loaded without one, nor the other way round."""

    def of_other_kind(self) -> Path:
        path = self.folder / "other.tenure"
        tenure.freeze_data({"a": 1}, path)
        file = bytearray(path.read_bytes())
        struct.pack_into("<I", file, FREE_THREADED, int(HAS_GIL))
        struct.pack_into("<Q", file, CHECKSUM, 0)
        struct.pack_into("<Q", file, CHECKSUM, _tenure.checksum(file[:PAGE]))
        path.write_bytes(file)
        return path

    def test_is_refused(self):
        version = sys.version.split()[0]
        kinds = ("without a GIL", "with a GIL") if HAS_GIL else ("with a GIL", "without a GIL")
        says = (
            f"the header was made by CPython {version} {kinds[0]}, this is CPython {version} {kinds[1]};"
            " freeze it again with this one"
        )
        path = self.of_other_kind()
        with self.assertRaises(tenure.ImageError) as caught:
            tenure.load(path)
        self.assertEqual(str(caught.exception), f"{path}: {says}")
        described = _tenure.inspect(path)
        self.assertEqual(described["free_threaded"], HAS_GIL)
        self.assertFalse(described["usable"])
        self.assertEqual(f"the header {described['reason']}", says)

    def test_own_kind_is_told(self):
        tenure.freeze_data({"a": 1}, self.folder / "x.tenure")
        described = _tenure.inspect(self.folder / "x.tenure")
        self.assertEqual((described["free_threaded"], described["usable"]), (not HAS_GIL, True))


class CodeTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.write({"m.py": "x = 1\n"})
        code = compile("x = 1\n", "m.py", "exec")
        self.module = ("m", code, False, str(self.folder / "m.py"), None, 6, 0)

    def test_freeze(self):
        result = self.tenure("freeze", "m", "-o", "m.tenure")
        if HAS_GIL:
            self.assertEqual(result.returncode, 0, result.stderr)
        else:
            self.assertEqual((result.returncode, result.stderr), (1, f"tenure: {NO_CODE}\n"))
        self.assertEqual((self.folder / "m.tenure").exists(), HAS_GIL)

    def test_write_image(self):
        path = self.folder / "m.tenure"
        if HAS_GIL:
            _tenure.write_image(path, [self.module])
            self.assertIsNone(_tenure.no_code_reason)
            return
        with self.assertRaises(TypeError) as caught:
            _tenure.write_image(path, [self.module])
        self.assertEqual(str(caught.exception), NO_CODE)
        self.assertEqual(_tenure.no_code_reason, NO_CODE)
        self.assertFalse(path.exists())

    def test_code_among_data(self):
        with self.assertRaisesRegex(TypeError, r"\$\[1\]: object of type code cannot be frozen"):
            tenure.freeze_data([1, self.module[1]], self.folder / "x.tenure")


class LiveTest(FolderTest):
    """What looks at live objects for longer than a moment."""

    def refusal(self, function: str) -> str:
        return (
            f"RuntimeError: {function}() needs a CPython with a GIL: without one, other threads go on using the"
            " objects meanwhile\n"
        )

    def test_functions(self):
        tenure.freeze_data([1, 2], self.folder / "x.tenure")
        for function, call in {
            "immortalize": "tenure.immortalize([1, [2]])",
            "prefork": "tenure.prefork()",
            "write_report": "tenure.write_report(list)",
        }.items():
            with self.subTest(function):
                result = self.python("-c", f"import tenure; image = tenure.load('x.tenure'); {call}")
                if HAS_GIL:
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                else:
                    self.assertTrue(result.stderr.endswith(self.refusal(function)), result.stderr)


class SealTest(FolderTest):
    CODE = "import tenure; image = tenure.load('x.tenure'{options}); {then}; print(image.sealed, image.root['a'])"

    def setUp(self) -> None:
        super().setUp()
        tenure.freeze_data({"a": "é", "b": b"x y"}, self.folder / "x.tenure")

    def run_with(self, options: str, then: str) -> tuple[str, str]:
        result = self.python("-c", self.CODE.format(options=options, then=then))
        return result.stdout, result.stderr

    def test_as_it_is_loaded(self):
        then = "hash(image.root); setattr(tenure, image.root['a'], 1); sorted(image.root); str(image.root)"
        self.assertEqual(self.run_with(", seal=True", then), ("True é\n", ""))
        self.assertEqual(self.run_with(", seal=True", "image.seal()"), ("True é\n", ""))
        self.assertEqual(self.run_with(", seal=True", "image.unseal()"), ("False é\n", ""))

    def test_by_policy(self):
        tenure.freeze_data({"a": "é"}, self.folder / "x.tenure", hash_policy="sealed")
        self.assertEqual(self.run_with("", "tenure.load('x.tenure')"), ("True é\n", ""))

    def test_later(self):
        for then in "image.seal()", "tenure.load('x.tenure', seal=True)":
            out, error = self.run_with("", then)
            if HAS_GIL:
                self.assertEqual((out, error), ("True é\n", ""))
                continue
            self.assertRegex(
                error,
                r"ImageError: .*x\.tenure: the image cannot be sealed now: without a GIL other threads may be about to"
                r" write to it; have it sealed as it is loaded, by load\(path, seal=True\)\n$",
            )


if __name__ == "__main__":
    unittest.main()
