"""The example of an extension module with many views."""

from __future__ import annotations

import array
import gc
import sys
import threading
import unittest
from pathlib import Path
from typing import Any

try:
    from concurrent import interpreters
except ImportError:
    interpreters = None

FOLDER = str(Path.cwd() / "examples" / "tables")
sys.path.insert(0, FOLDER)

import tables  # type: ignore[import-not-found]


class ParseTest(unittest.TestCase):
    def test_rows(self) -> None:
        rows = tables.parse("name,city\nAda,London\nEmmy,Erlangen\n")
        self.assertEqual(
            rows, [{"name": "Ada", "city": "London"}, {"name": "Emmy", "city": "Erlangen"}]
        )
        self.assertIs(next(iter(rows[0])), next(iter(rows[1])), "names are shared")
        self.assertEqual(tables.parse(""), [])
        self.assertEqual(tables.parse("a,b"), [])
        self.assertEqual(tables.parse("a,b\n,"), [{"a": "", "b": ""}])
        self.assertEqual(tables.parse("ä::ö\né::\n", separator="::"), [{"ä": "é", "ö": ""}])

    def test_types(self) -> None:
        rows = tables.parse("n,x\n1,2.5\n", types={"n": int, "x": float, "other": None})
        self.assertEqual(rows, [{"n": 1, "x": 2.5}])
        self.assertEqual(tables.parse("n\n1", types=None), [{"n": "1"}])

    def test_lines_that_are_none(self) -> None:
        self.assertTrue(issubclass(tables.TableError, ValueError))
        for text, message in (
            ("a,b\n1", "line 2: 2 columns expected, not 1"),
            ("a,b\n1,2\n1,2,3", "line 3: 2 columns expected, not 3"),
            ("a,b\n\n", "line 2: 2 columns expected, not 1"),
        ):
            with self.subTest(text), self.assertRaisesRegex(tables.TableError, message):
                tables.parse(text)

    def test_errors_of_types(self) -> None:
        message = "^line 3: cannot read column 'n'$"
        with self.assertRaisesRegex(tables.TableError, message) as caught:
            tables.parse("n\n1\nx\n", types={"n": int})
        self.assertIsInstance(caught.exception.__context__, ValueError)

        def interrupt(_: str) -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            tables.parse("n\n1\n", types={"n": interrupt})

    def test_arguments(self) -> None:
        with self.assertRaisesRegex(ValueError, "empty separator"):
            tables.parse("a", separator="")
        for arguments, named in (((b"a",), {}), (("a", ","), {}), (("a",), {"types": [int]})):
            with self.subTest(arguments), self.assertRaises(TypeError):
                tables.parse(*arguments, **named)


class GroupTest(unittest.TestCase):
    def test_groups(self) -> None:
        rows = tables.parse("n,k\n1,a\n2,b\n3,a\n")
        groups = tables.group(rows, "k")
        self.assertEqual(groups, {"a": [rows[0], rows[2]], "b": [rows[1]]})
        self.assertIs(groups["a"][0], rows[0])
        with self.assertRaisesRegex(KeyError, "absent"):
            tables.group(rows, "absent")
        for wrong in ([1], None, {"k": 1}):
            with self.subTest(wrong), self.assertRaises(TypeError):
                tables.group(wrong, "k")

    def test_keys_that_change_the_rows(self) -> None:
        rows: list[dict[str, object]] = []

        class Clearing:
            def __hash__(self) -> int:
                rows.clear()
                return 1

        rows += [{"k": Clearing()} for _ in range(10)]
        self.assertEqual(len(tables.group(rows, "k")), 1)


class NumbersTest(unittest.TestCase):
    def test_column_and_summary(self) -> None:
        rows = tables.parse("x\n1\n2\n6\n", types={"x": float})
        numbers = array.array("d", [0.0] * 4)
        self.assertEqual(tables.column(rows, "x", numbers), 3)
        self.assertEqual(list(numbers), [1, 2, 6, 0])
        self.assertEqual(
            tables.summary(memoryview(numbers)[:3]),
            {"count": 3, "mean": 3.0, "low": 1.0, "high": 6.0},
        )
        self.assertEqual(tables.column(rows, "absent", numbers), 0)

    def test_refused(self) -> None:
        rows: list[Any] = [{"x": 1.0}, {"x": 2.0}]
        for wrong, error in (
            (array.array("d", [0.0]), IndexError),
            (array.array("f", [0.0] * 2), TypeError),
            (bytes(16), (TypeError, BufferError)),
            ([0.0, 0.0], TypeError),
        ):
            with self.subTest(wrong), self.assertRaises(error):
                tables.column(rows, "x", wrong)
        with self.assertRaises(TypeError):
            tables.column([{"x": "1"}], "x", array.array("d", [0.0]))
        with self.assertRaisesRegex(ValueError, "no numbers"):
            tables.summary(array.array("d"))
        with self.assertRaises(TypeError):
            tables.summary(array.array("i", [1]))

    def test_the_array_stays_where_it_is_meanwhile(self) -> None:
        """A type that makes the array larger is refused by the array, not by luck."""
        numbers = array.array("d", [0.0])

        class Growing:
            def __float__(self) -> float:
                numbers.append(1.0)
                return 1.0

        with self.assertRaises(BufferError):
            tables.column([{"x": Growing()}], "x", numbers)

    def test_in_threads(self) -> None:
        numbers = array.array("d", range(100_000))
        found: list[dict[str, float]] = []
        threads = [
            threading.Thread(target=lambda: found.append(tables.summary(numbers))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 4)
        self.assertEqual({one["mean"] for one in found}, {49999.5})


@unittest.skipUnless(interpreters, "this Python has no module for it")
class InterpretersTest(unittest.TestCase):
    def test_each_has_its_own(self) -> None:
        code = f"""if True:
            import sys
            sys.path.insert(0, {FOLDER!r})
            import tables
            assert tables.parse("a\\n1", types={{"a": int}}) == [{{"a": 1}}]
            try:
                tables.parse("a\\n1,2")
            except tables.TableError:
                pass
            """
        for _ in range(2):
            interpreter = interpreters.create()
            try:
                interpreter.exec(code)
            finally:
                interpreter.close()
        with self.assertRaises(tables.TableError):
            tables.parse("a\n1,2")


class LeakTest(unittest.TestCase):
    def test_nothing_leaks(self) -> None:
        numbers = array.array("d", [0.0])
        types = {"x": float}
        key = "".join(["a", " key"])
        rows = [{key: 1.0}]

        def use() -> None:
            tables.parse("x\n1\n", types=types)
            tables.group(rows, key)
            tables.column(rows, key, numbers)
            tables.summary(numbers)
            self.assertRaises(ValueError, tables.parse, "x\n?\n", types=types)
            self.assertRaises(KeyError, tables.group, rows, "absent")
            self.assertRaises(TypeError, tables.column, rows, key, types)

        def counts() -> list[int]:
            gc.collect()
            return [sys.getrefcount(one) for one in (numbers, types, key, rows, rows[0])]

        use()
        before = counts()
        for _ in range(100):
            use()
        self.assertEqual(counts(), before)


if __name__ == "__main__":
    unittest.main()
