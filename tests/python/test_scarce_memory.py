"""What the package's functions do without memory: each allocation of theirs fails in turn.

The functions of the extension are called, since an interpreter that has no memory to evaluate code
is beyond them, and with paths that are strs: without memory CPython says of a Path that it is none.
What they ask of malloc() is not among it.
"""

from __future__ import annotations

import gc
import itertools
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tenure
from tenure import FrozenDict, _tenure

sys.path.insert(0, str(Path(__file__).parent))

import scarce  # type: ignore[import-not-found]

DATA = {
    "a": [1, 2.5, "text", b"bytes", (1, 2), None, 1 << 100],
    "b": {"ä": {"x": [True, 2j]}},
    "c": frozenset([1, 2]),
}
WORDS = {str(i): i for i in range(50)}

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

# Without it a leak of one block each time could not be told from caches that settle.
REPEATS = 8
MEASUREMENTS = 6


class ScarceMemoryTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tenure-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "data.tenure"
        tenure.freeze_data(DATA, self.path)

    def growth(self, make: Callable[[], Call], n: int, once: bool) -> float:
        """Blocks that a call leaves behind, of the interpreter's own allocator."""
        for _ in range(2):
            scarce.call(*make(), n, once)
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(REPEATS):
            scarce.call(*make(), n, once)
        gc.collect()
        return (sys.getallocatedblocks() - before) / REPEATS

    def assert_no_leak(self, make: Callable[[], Call], n: int, once: bool, usual: float) -> None:
        # A leak is there each time; tables of the interpreter's that grow now and then are not.
        seen = []
        for _ in range(MEASUREMENTS):
            seen.append(self.growth(make, n, once))
            if seen[-1] < usual + 0.9:
                return
        self.fail(f"leaves blocks behind, {seen}, where without a failure it leaves {usual}")

    def check(self, make: Callable[[], Call], *also: type[Exception], leaks: bool = True) -> None:
        """also: what it may raise besides MemoryError. leaks: whether it is to be free of leaks."""
        answer, good, _ = scarce.call(*make(), 1 << 40, True)
        if not also:
            self.assertTrue(good, answer)
        usual = self.growth(make, 1 << 40, True) if leaks else 0
        for once in (True, False):
            for n in itertools.count():
                self.assertLess(n, 5000)
                answer, good, failed = scarce.call(*make(), n, once)
                if not failed:
                    break
                with self.subTest(n=n, once=once):
                    if not good:
                        self.assertIsInstance(answer, (MemoryError, *also), repr(answer))
                    del answer
                    if leaks:
                        self.assert_no_leak(make, n, once, usual)
        # All is as before.
        self.assertEqual(tenure.load(self.path).root["a"][2], "text")

    def test_frozen_dict(self) -> None:
        frozen = FrozenDict(WORDS)
        pairs = [(k, v) for k, v in WORDS.items()]
        for name, make in {
            "mapping": lambda: (FrozenDict, (WORDS,), {}),
            "pairs": lambda: (FrozenDict, (pairs,), {}),
            "keywords": lambda: (FrozenDict, (), {"a": 1, "b": 2}),
            "or": lambda: (FrozenDict.__or__, (frozen, {"x": 1}), {}),
            "hash": lambda: (hash, (FrozenDict(WORDS),), {}),
            "repr": lambda: (repr, (frozen,), {}),
            "equal": lambda: (FrozenDict.__eq__, (frozen, WORDS), {}),
            "items": lambda: (list, (frozen.items(),), {}),
            "dict": lambda: (_tenure.json_default, (frozen,), {}),
        }.items():
            with self.subTest(name):
                self.check(make)

    def test_load(self) -> None:
        numbers = itertools.count()

        def fresh() -> str:
            # The same file is loaded once.
            path = self.folder / f"{next(numbers)}.tenure"
            path.write_bytes(self.path.read_bytes())
            return str(path)

        for options in ({}, {"check": "full"}, {"seal": True}):
            with self.subTest(options=options):
                # What is loaded stays.
                self.check(lambda: (_tenure.load, (fresh(),), options), leaks=False)

    def test_image(self) -> None:
        image = tenure.load(self.path)
        self.check(lambda: (image.stats, (), {}))
        self.check(lambda: (image.verify, (), {}))
        self.check(lambda: (_tenure.inspect, (str(self.path),), {}))
        self.check(lambda: (_tenure.assembler_source, (str(self.path), "s", "t"), {}))

    def test_write_data(self) -> None:
        path = str(self.folder / "written.tenure")
        keep = {"lists": "list", "dicts": "builtin", "sets": "builtin"}
        for options in ({}, {"hash_policy": "sealed"}, keep):
            with self.subTest(options=options):
                self.check(lambda: (_tenure.write_data, (path, {"a": DATA}), options))
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"data.tenure", "written.tenure"})

    def test_write_data_refused(self) -> None:
        bad = {"a": [1, {"k": object()}]}
        path = str(self.folder / "written.tenure")
        self.check(lambda: (_tenure.write_data, (path, bad), {}), TypeError)
        self.assertFalse(Path(path).exists())

    @unittest.skipIf(_tenure.no_code_reason, "no images of code")
    def test_write_image(self) -> None:
        text = "def f(a, b=1):\n  return a + b\nclass C:\n  x = 'é', b'b', 1.5\n"

        def make() -> Call:
            code = compile(text, "m.py", "exec")
            module = ("m", code, False, "/m.py", None, len(text), 5)
            return _tenure.write_image, (str(self.folder / "written.tenure"), [module]), {}

        self.check(make)

    @unittest.skipIf(_tenure.no_code_reason, "not without a GIL")
    def test_immortalize(self) -> None:
        self.check(
            lambda: (_tenure.immortalize, ({"a": [str(i) for i in range(20)], "b": 1.5},), {}),
            leaks=False,
        )

    def test_deferred(self) -> None:
        self.check(lambda: (_tenure.deferred_stats, (), {}))
        self.check(lambda: (_tenure.deferred_flush, (), {}))
        self.check(lambda: (_tenure.deferred_set_bound, (0.5,), {}))


if __name__ == "__main__":
    unittest.main()
