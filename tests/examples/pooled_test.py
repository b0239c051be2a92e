"""The example of pools does what a program without them would do."""

from __future__ import annotations

import gc
import runpy
import sys
import sysconfig
import unittest
from pathlib import Path

sys.path.insert(0, str(Path.cwd() / "examples" / "pooled"))

import counter  # type: ignore[import-not-found]

HAS_POOLS = not sysconfig.get_config_var("Py_GIL_DISABLED")


class PooledTest(unittest.TestCase):
    def setUp(self) -> None:
        self.program = runpy.run_path("examples/pooled/simulate.py")
        gc.collect()
        counter.trim_pools()

    def test_memory_is_used_again(self) -> None:
        before = counter.pool_statistics()["from_heap"]
        average, hurried = self.program["simulate"](20_000)
        self.assertAlmostEqual(average, 2.9, delta=1)
        self.assertGreater(hurried, 300)
        gc.collect()
        after = counter.pool_statistics()
        self.assertEqual(after["live"], 0)
        self.assertLess(after["from_heap"] - before, 100)
        if HAS_POOLS:
            self.assertGreater(after["retained"], 10)
            self.assertEqual(counter.trim_pools(), after["retained_bytes"])
            self.assertEqual(counter.pool_statistics()["retained"], 0)

    def test_classes_in_python(self) -> None:
        class Late(counter.Event):
            def __init__(self, time: float, action: object) -> None:
                super().__init__(time, action)
                self.me = self

            def __del__(self) -> None:
                gone.append(self.time)

        gone: list[float] = []
        before = counter.pool_statistics()["live"]
        late = Late(1.0, None)
        self.assertLess(late, counter.Event(2.0, None))
        self.assertEqual(counter.pool_statistics()["live"], before)
        del late
        gc.collect()
        self.assertEqual(gone, [1.0])

        class Longer(counter.Wait):
            pass

        self.assertEqual(Longer(1.0, 3.0).length, 2.0)
        with self.assertRaises(TypeError):
            Longer(1.0, 2.0).__class__ = counter.Wait

    def test_cycles_go(self) -> None:
        for _ in range(10):
            held: list[object] = []
            held.append(counter.Event(1.0, held))
            del held
        self.assertGreaterEqual(gc.collect(), 2)
        self.assertEqual(counter.pool_statistics()["live"], 0)

    def test_what_cannot_be_made(self) -> None:
        for _ in range(10):
            with self.assertRaises(TypeError):
                counter.Event("soon", None)
            with self.assertRaises(TypeError):
                counter.Wait("soon", 1.0)
        self.assertEqual(counter.pool_statistics()["live"], 0)


if __name__ == "__main__":
    unittest.main()
