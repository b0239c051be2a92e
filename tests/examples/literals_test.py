"""The example of an extension module whose objects the compiler made."""

from __future__ import annotations

import _interpreters as interpreters
import pickle
import sys
import types
import unittest
from pathlib import Path

FOLDER = str(Path.cwd() / "examples" / "literals")
sys.path.insert(0, FOLDER)

import units  # type: ignore[import-not-found]

ALL = (
    ("ohm", "Ω", 1.0),
    ("degree", "°C", 1.0),
    ("mole", "mol", 602_214_076_000_000_000_000_000),
)


class UnitsTest(unittest.TestCase):
    def test_objects(self) -> None:
        self.assertEqual(units.all(), ALL)
        self.assertIs(units.all(), units.all())
        self.assertEqual(pickle.loads(pickle.dumps(units.all())), ALL)
        self.assertEqual({ALL: 1}[units.all()], 1)
        self.assertEqual(units.magic, b"\x89UNITS\r\n")

    def test_table(self) -> None:
        self.assertEqual(units.symbol("ohm"), "Ω")
        self.assertIs(units.symbol("ohm"), units.all()[0][1], "written twice, there once")
        self.assertIsNone(units.symbol("cubit"))

    def test_names(self) -> None:
        self.assertEqual(units.describe(types.SimpleNamespace(unit="ohm")), "ohm")
        with self.assertRaises(AttributeError):
            units.describe(5)

    def test_other_interpreters_share_them(self) -> None:
        place = id(units.all())
        code = f"""
import sys
sys.path.insert(0, {FOLDER!r})
import types, units
assert id(units.all()) == {place}
assert units.all() == {ALL!r} and hash(units.all()) == {hash(ALL)}
assert units.describe(types.SimpleNamespace(unit="ohm")) == "ohm"
"""
        for _ in range(3):
            other = interpreters.create("isolated")
            try:
                self.assertIsNone(interpreters.exec(other, code))
            finally:
                interpreters.destroy(other)
        self.assertEqual(units.all(), ALL)


if __name__ == "__main__":
    unittest.main()
