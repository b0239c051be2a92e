"""The example of an arena: a parser that answers what the standard library's does."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import threading
import unittest
from pathlib import Path

try:
    from concurrent import interpreters
except ImportError:
    interpreters = None

FOLDER = str(Path.cwd() / "examples" / "arena")
sys.path.insert(0, FOLDER)

import documents  # type: ignore[import-not-found]


def some_value(rng: random.Random, depth: int = 0) -> object:
    kind = rng.randrange(9 if depth < 6 else 6)
    if kind < 6:
        return [
            None,
            rng.random() < 0.5,
            rng.randrange(-(2**62), 2**62),
            rng.uniform(-1e300, 1e300),
            "".join(rng.choices('abc"\\/\n\té\u20ac\ud7ff ', k=rng.randrange(40))),
            "",
        ][kind]
    if kind == 6:
        return {f"key {i}": some_value(rng, depth + 1) for i in range(rng.randrange(8))}
    return [some_value(rng, depth + 1) for _ in range(rng.randrange(12))]


class DocumentsTest(unittest.TestCase):
    def test_values(self) -> None:
        for text in (
            "null",
            "true",
            " false\n",
            "0",
            "-12",
            "1.5e3",
            str(2**62),
            str(10**30) + ".0",
            '""',
            '"a"',
            "[]",
            "{}",
            "[1,[2,[3]]]",
            '{"a": {"b": [null, {"c": ""}]}, "d": 1}',
            r'"\"\\\/\b\f\n\r\t\u00e9\u20ac\u0041\u0000"',
        ):
            with self.subTest(text):
                self.assertEqual(documents.parse(text), json.loads(text))
                self.assertIs(type(documents.parse(text)), type(json.loads(text)))

    def test_as_the_standard_library_reads_it(self) -> None:
        rng = random.Random(1)
        for _ in range(300):
            value = some_value(rng)
            for ascii_only in (False, True):
                text = json.dumps(value, ensure_ascii=ascii_only)
                self.assertEqual(documents.parse(text), value)

    def test_texts_that_are_none(self) -> None:
        self.assertTrue(issubclass(documents.DocumentError, ValueError))
        for text, message in (
            ("", "a value expected at 0"),
            ("[1,", "a value expected at 3"),
            ("[1", "']' expected at 2"),
            ('{"a" 1}', "':' expected at 5"),
            ("{1: 2}", "'\"' expected at 1"),
            ('"a', "'\"' expected at 2"),
            (r'"\x"', "an escape expected at 1"),
            (r'"\u12', "an escape expected at 1"),
            (r'"\ud800"', "an escape expected at 1"),
            ("1 2", "the end expected at 2"),
            ("nan", "a value expected at 0"),
            ("-inf", "a value expected at 0"),
            ("1e999", "a value expected at 0"),
            ("[" * 600, "less depth expected at 501"),
        ):
            with self.subTest(text), self.assertRaisesRegex(documents.DocumentError, message):
                documents.parse(text)
        with self.assertRaises(TypeError):
            documents.parse(b"1")

    def test_large(self) -> None:
        rows = [{"name": f"row {i}\n", "numbers": [i, i / 3], "none": None} for i in range(20_000)]
        self.assertEqual(documents.parse(json.dumps(rows)), rows)

    def test_out_of_memory(self) -> None:
        """Want of memory for the tree is a MemoryError, and the process goes on."""
        # Before mimalloc is opened, which reserves more than that in advance where it can.
        code = (
            "import resource, sys\n"
            f"sys.path.insert(0, {FOLDER!r})\n"
            "import documents\n"
            "text = '[' + '1,' * 5_000_000 + '1]'\n"
            "limit = int(open('/proc/self/statm').read().split()[0]) * 4096 + 100_000_000\n"
            "resource.setrlimit(resource.RLIMIT_AS, (limit, -1))\n"
            "try:\n"
            "    documents.parse(text)\n"
            "except MemoryError:\n"
            "    print(documents.parse('[1, 2]'))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "[1, 2]\n"), done.stderr)

    def test_in_threads(self) -> None:
        values = [some_value(random.Random(i)) for i in range(40)]
        texts = [json.dumps(value) for value in values]
        wrong: list[object] = []

        def work() -> None:
            for value, text in zip(values, texts):
                if documents.parse(text) != value:
                    wrong.append(value)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    @unittest.skipUnless(interpreters, "this Python has no module for it")
    def test_each_interpreter_has_its_own(self) -> None:
        interpreter = interpreters.create()
        try:
            interpreter.exec(
                f"import sys; sys.path.insert(0, {FOLDER!r}); import documents\n"
                "assert documents.parse('[1, {\"a\": 2}]') == [1, {'a': 2}]"
            )
        finally:
            interpreter.close()

    def test_nothing_leaks(self) -> None:
        text = json.dumps([{"key": [1.5, "text" * 10]}] * 200)

        def use() -> None:
            documents.parse(text)
            self.assertRaises(ValueError, documents.parse, text[:-1])

        def count() -> int:
            gc.collect()
            return sys.getrefcount(text)

        use()
        before = count(), len(gc.get_objects())
        for _ in range(50):
            use()
        self.assertEqual(count(), before[0])
        self.assertLess(len(gc.get_objects()) - before[1], 100)


if __name__ == "__main__":
    unittest.main()
