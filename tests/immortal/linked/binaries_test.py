"""What linkers and loaders make of graphs, as binutils see it."""

import os
import re
import subprocess
import unittest
from pathlib import Path

FOLDER = Path("tests/immortal/linked")
SECTION = ".tenure.sample"
PAGE = 4096


def readelf(option: str, program: str) -> str:
    command = ["readelf", "--wide", option, str(FOLDER / program)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def section(program: str) -> tuple[int, int, int, str]:
    """Its address, offset in the file, size, and flags."""
    line = next(line for line in readelf("--sections", program).splitlines() if SECTION in line)
    address, offset, size, _, flags = line.partition("PROGBITS")[2].split()[:5]
    return int(address, 16), int(offset, 16), int(size, 16), flags


def relocations(program: str) -> list[int]:
    """The addresses that the start of the program changes."""
    found = re.findall(r"^([0-9a-f]{16}) ", readelf("--relocs", program), re.MULTILINE)
    return [int(address, 16) for address in found]


class BinariesTest(unittest.TestCase):
    def test_kinds_of_programs(self):
        self.assertRegex(readelf("--file-header", "fixed_test"), r"Type:\s+EXEC ")
        self.assertRegex(readelf("--file-header", "anywhere_test"), r"Type:\s+DYN ")

    def test_sections_are_whole_pages_and_read_only(self):
        for program in "fixed_test", "anywhere_test":
            with self.subTest(program):
                address, offset, size, flags = section(program)
                self.assertEqual((address % PAGE, offset % PAGE, size % PAGE), (0, 0, 0))
                self.assertGreater(size, PAGE)
                self.assertEqual(flags, "A")

    def test_nothing_in_them_is_relocated_at_the_start(self):
        for program in "fixed_test", "anywhere_test":
            with self.subTest(program):
                address, _, size, _ = section(program)
                changed = relocations(program)
                self.assertTrue(changed)
                inside = [at for at in changed if address <= at < address + size]
                self.assertEqual(inside, [])
                self.assertNotIn("TEXTREL", readelf("--dynamic", program))

    def test_objects_of_the_interpreter_are_in_the_fixed_program(self):
        copies = re.findall(r"R_X86_64_COPY .* (\w+) \+ 0", readelf("--relocs", "fixed_test"))
        self.assertLessEqual({"PyUnicode_Type", "PyTuple_Type", "_PyRuntime"}, set(copies))
        self.assertNotIn("R_X86_64_COPY", readelf("--relocs", "anywhere_test"))

    def test_another_libpython_is_refused(self):
        other = str((FOLDER / "other_runtime.so").absolute())
        # A sanitizer's runtime stays in front.
        preload = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), other)))
        result = subprocess.run(
            [str(FOLDER / "fixed_test")],
            env={**os.environ, "LD_PRELOAD": preload},
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.returncode, 127, result)
        self.assertIn(
            "tenure: this program was linked with another build of libpython than it runs with;"
            " link it again\n",
            result.stderr,
        )


if __name__ == "__main__":
    unittest.main()
