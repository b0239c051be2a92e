"""What the inlined fast paths compile to: as many instructions as the version's golden file says.

A change that adds or saves some changes the file too, so that it is seen in review:

    ./dev test //tests/golden:fast_paths_test --test_env=TENURE_UPDATE_GOLDEN=1 --python 3.15
"""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ARCHIVE = next(Path("tests/golden").glob("libfast_paths*.a"))
# The folder in the source tree: the runfiles are links to it.
GOLDEN = Path(__file__).resolve().parent / f"{sys.version_info[0]}.{sys.version_info[1]}.txt"

FUNCTION = re.compile(r"^[0-9a-f]+ <(golden_\w+)(?:\.cold)?>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\t(?!\s*R_)(.*)$")
RELOCATION = re.compile(r"^\s+[0-9a-f]+: (R_\S+)\s+(\S+)$")
PADDING = re.compile(r"^(data16 |cs )*nop|^xchg +%ax,%ax")


def disassembled(text):
    """{function: [its instructions]} of what objdump prints.

    The part that is seldom run comes last. Jumps lead to places in the function, calls to names;
    neither says where anything stands. What only fills up space is left out.
    """
    functions, current = {}, []
    for line in text.splitlines():
        if start := FUNCTION.match(line):
            current = functions.setdefault(start[1], [])
        elif relocation := RELOCATION.match(line):
            current[-1] = f"{current[-1].partition(' <')[0]} {relocation[1]} {relocation[2]}"
        elif found := INSTRUCTION.match(line):
            instruction = " ".join(found[1].split("#")[0].split())
            if not PADDING.match(instruction):
                current.append(re.sub(r"[0-9a-f]+ <golden_\w+(\S*)>", r"<\1>", instruction))
    return functions


def regardless_of_layout(code):
    """Blocks may stand in another order."""
    return sorted(re.sub(r"<.*>", "<>", line) for line in code)


def read_golden(text):
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    return {name: int(count) for name, count in filter(None, lines)}


class FastPaths(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        command = ["objdump", "--disassemble", "--reloc", "--no-show-raw-insn", str(ARCHIVE)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        cls.functions = disassembled(printed)

    def listing(self, name):
        return "\n".join([f"{name}:", *(f"    {line}" for line in self.functions[name])])

    def test_as_many_instructions_as_the_golden_file_says(self):
        counts = {name: len(code) for name, code in sorted(self.functions.items())}
        self.assertTrue(counts)
        if os.environ.get("TENURE_UPDATE_GOLDEN"):
            compiler = subprocess.run(
                ["gcc", "-dumpfullversion"], check=True, capture_output=True, text=True
            ).stdout.strip()
            lines = [f"{name} {count}\n" for name, count in counts.items()]
            GOLDEN.write_text(f"# Written by fast_paths_test.py, gcc {compiler}\n" + "".join(lines))
        golden = read_golden(GOLDEN.read_text())
        changed = [name for name in counts if counts[name] != golden.get(name)]
        self.assertEqual(
            counts, golden, "\n" + "\n".join(map(self.listing, changed)) + f"\n{__doc__}"
        )

    def test_the_empty_check_is_one_load(self):
        code = self.functions["golden_has_pending"]
        in_memory = [line for line in code if "(" in line]
        self.assertEqual(len(in_memory), 1, self.listing("golden_has_pending"))
        self.assertRegex(in_memory[0], r"^(mov|movzbl|cmp[bl]) .*\(%rdi\)")
        self.assertNotRegex(in_memory[0], r"^mov .*,.*\(%rdi\)", "a store")
        for line in code:
            self.assertNotRegex(line, r"^(lock|[mls]fence|xchg|call|j)")

    def test_handles_are_what_the_c_api_is(self):
        names = [name for name in self.functions if f"{name}_in_c" in self.functions]
        self.assertIn("golden_owned", names)
        for name in names:
            with self.subTest(name):
                ours, c = self.functions[name], self.functions[f"{name}_in_c"]
                self.assertEqual(regardless_of_layout(ours), regardless_of_layout(c))


class Disassembling(unittest.TestCase):
    PRINTED = """
Disassembly of section .text.golden_one:

0000000000000000 <golden_one>:
   0:\tendbr64
   4:\tje     10 <golden_one+0x10>
   6:\tlea    0x0(%rip),%rdi        # d <golden_one+0xd>
\t\t\t9: R_X86_64_PC32\tname-0x4
   d:\tcall   12 <golden_one+0x12>
\t\t\te: R_X86_64_PLT32\t_Py_Dealloc-0x4
  12:\tret
  13:\tdata16 cs nopw 0x0(%rax,%rax,1)
  1e:\txchg   %ax,%ax

Disassembly of section .text.unlikely:

0000000000000000 <golden_one.cold>:
   0:\tud2
"""

    def test_names_stay_and_places_go(self):
        wanted = [
            "endbr64",
            "je <+0x10>",
            "lea 0x0(%rip),%rdi R_X86_64_PC32 name-0x4",
            "call R_X86_64_PLT32 _Py_Dealloc-0x4",
            "ret",
            "ud2",
        ]
        self.assertEqual(disassembled(self.PRINTED), {"golden_one": wanted})


if __name__ == "__main__":
    unittest.main()
