"""tenure.deferred: what it says of the queues, and what can be set.

Native code that defers comes from the examples: deferred_c uses the package's own queue,
sendable_pool has a copy of Tenure and a queue in it.
"""

from __future__ import annotations

import inspect
import math
import os
import pydoc
import subprocess
import sys
import textwrap
import unittest
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import tenure

from helpers import PACKAGE_FOLDER, environment

EXAMPLES = [str(Path.cwd() / "examples" / name) for name in ("deferred_c", "sendable")]

KEYS = {
    "pushed",
    "drained",
    "leaked",
    "pending",
    "high_water",
    "drains",
    "longest_drain_ns",
    "pending_calls",
    "reaper_drains",
    "dismantling",
    "lanes",
    "queues",
}

# Two ways to defer: each hands over objects that are dropped without the GIL.
PRELUDE = """
import sys
import threading
import time

import tenure

destroyed = []

class Payload(bytearray):
    def __del__(self):
        destroyed.append(threading.get_ident())

def by_package(count):
    import deferred_c
    for _ in range(count):
        deferred_c.submit(Payload())
    deferred_c.collect()

def by_copy(count):
    import sendable_pool
    sendable_pool.submit(len, (Payload() for _ in range(count)))
    sendable_pool.results()

def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, tenure.deferred.stats()
        time.sleep(0.01)
"""


class DeferredTest(unittest.TestCase):
    def check(self, code: str, first: str = "") -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed.

        first: what it begins with, before anything is imported.
        """
        path = os.pathsep.join([PACKAGE_FOLDER, *EXAMPLES])
        result = subprocess.run(
            [sys.executable, "-c", first + PRELUDE + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment(PYTHONPATH=path),
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout


class NamesTest(DeferredTest):
    def test_found_when_asked_for(self):
        self.check(
            """
            assert "tenure.deferred" not in sys.modules
            first = tenure.deferred
            assert first is sys.modules["tenure.deferred"] is tenure.deferred
            import tenure.deferred as second
            from tenure import deferred as third
            assert first is second is third
            """
        )

    def test_import_first(self):
        self.check("import tenure.deferred\nassert tenure.deferred.bound() == 0.1")

    def test_star(self):
        self.check("from tenure import *\nassert deferred.flush() == 0 and load is tenure.load")

    def test_what_there_is_not(self):
        with self.assertRaisesRegex(
            AttributeError, "^module 'tenure' has no attribute 'immediate'$"
        ):
            tenure.immediate  # noqa: B018
        self.assertFalse(hasattr(tenure, "__path_of_nothing__"))
        with self.assertRaises(ImportError):
            from tenure import immediate  # noqa: F401

    def test_documentation(self):
        text = pydoc.render_doc(tenure.deferred, renderer=pydoc.plaintext)
        for name in "stats", "flush", "bound", "set_bound":
            function = getattr(tenure.deferred, name)
            self.assertGreater(len(inspect.getdoc(function)), 40, name)
            self.assertIn(inspect.getdoc(function).splitlines()[0], text)
            self.assertIn(f"{name}{inspect.signature(function)}", text)
        for key in KEYS:
            self.assertRegex(inspect.getdoc(tenure.deferred.stats), rf"\b{key}\b")


class StatsTest(DeferredTest):
    def check_types(self, stats: dict[str, int]) -> None:
        self.assertEqual(set(stats), KEYS)
        for key, value in stats.items():
            self.assertIs(type(value), int, key)
            self.assertGreaterEqual(value, 0, key)

    def test_keys_and_types(self):
        stats = tenure.deferred.stats()
        self.check_types(stats)
        stats.clear()
        self.check_types(tenure.deferred.stats())

    def test_nothing_is_counted_before_anything_defers(self):
        self.check(
            """
            assert set(tenure.deferred.stats().values()) == {0}
            assert tenure.deferred.flush() == 0
            assert threading.active_count() == 1
            """
        )

    def test_counts(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            by_package(100)
            stats = tenure.deferred.stats()
            assert stats["pushed"] == stats["pending"] == 100, stats
            assert stats["drained"] == stats["leaked"] == stats["drains"] == 0, stats
            assert 1 <= stats["lanes"] <= 4, stats
            by_package(50)
            assert tenure.deferred.flush() == 150
            stats = tenure.deferred.stats()
            assert stats["pushed"] == stats["drained"] == stats["high_water"] == 150, stats
            assert stats["pending"] == stats["leaked"] == stats["dismantling"] == 0, stats
            assert stats["drains"] == 1 and 0 < stats["longest_drain_ns"] < 10**10, stats
            assert stats["pending_calls"] == stats["reaper_drains"] == 0, stats
            assert len(destroyed) == 150
            """
        )

    def test_drains_that_nobody_asked_for_are_counted(self):
        self.check(
            """
            by_package(100)
            wait_until(lambda: len(destroyed) == 100)
            stats = tenure.deferred.stats()
            assert stats["drained"] == 100, stats
            assert stats["pending_calls"] + stats["reaper_drains"] >= 1, stats
            """
        )

    def test_one_interpreter_does_not_count_for_another(self):
        self.check(
            f"""
            import _interpreters
            inside = {PRELUDE!r} + '''
            assert set(tenure.deferred.stats().values()) == {{0}}
            by_package(10)
            wait_until(lambda: len(destroyed) == 10)
            assert tenure.deferred.stats()["pushed"] == 10
            assert tenure.deferred.stats()["queues"] == 1
            '''.replace("\\n" + 12 * " ", "\\n")
            by_package(5)
            by_copy(5)
            for _ in range(2):
                interpreter = _interpreters.create()
                error = _interpreters.exec(interpreter, inside)
                assert error is None, error.formatted
                _interpreters.destroy(interpreter)
            wait_until(lambda: len(destroyed) == 10)
            stats = tenure.deferred.stats()
            assert (stats["queues"], stats["drained"]) == (2, 11), stats
            """
        )


class FlushTest(DeferredTest):
    def test_returns_how_many(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            assert tenure.deferred.flush() == 0
            by_package(7)
            assert tenure.deferred.flush() == 7
            assert tenure.deferred.flush() == 0
            """
        )

    def test_does_what_destructors_defer(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            class Chain(bytearray):
                length = 20
                def __del__(self):
                    destroyed.append(1)
                    if Chain.length:
                        Chain.length -= 1
                        deferred_c.submit(Chain())
                        deferred_c.collect()
            import deferred_c
            deferred_c.submit(Chain())
            deferred_c.collect()
            assert tenure.deferred.flush() == len(destroyed) == 21
            """
        )

    def test_does_nothing_within_a_deferred_destructor(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            flushed = []
            class Flushing(bytearray):
                def __del__(self):
                    flushed.append(tenure.deferred.flush())
            import deferred_c
            for _ in range(3):
                deferred_c.submit(Flushing())
            deferred_c.collect()
            assert tenure.deferred.flush() == 3
            assert flushed == [0, 0, 0], flushed
            # Dropped in the usual way it may.
            Flushing()
            assert len(flushed) == 4
            """
        )

    def test_destructors_that_raise(self):
        self.check(
            """
            raised = []
            sys.unraisablehook = lambda args: raised.append(args.exc_type)
            class Raising(bytearray):
                def __del__(self):
                    raise KeyError(1)
            import deferred_c
            tenure.deferred.set_bound(3600)
            for _ in range(10):
                deferred_c.submit(Raising())
            deferred_c.collect()
            assert tenure.deferred.flush() == 10
            assert raised == 10 * [KeyError], raised
            """
        )

    def test_by_many_threads_at_once(self):
        self.check(
            """
            done = []
            def flush():
                for _ in range(50):
                    by_package(10)
                    by_copy(10)
                    done.append(tenure.deferred.flush())
                    tenure.deferred.stats()
            threads = [threading.Thread(target=flush) for _ in range(6)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            tenure.deferred.flush()
            stats = tenure.deferred.stats()
            assert len(destroyed) == 6000, (len(destroyed), stats)
            assert stats["pushed"] == stats["drained"] and stats["pending"] == 0, stats
            """
        )

    def test_takes_nothing(self):
        for function in tenure.deferred.flush, tenure.deferred.stats, tenure.deferred.bound:
            with self.assertRaises(TypeError):
                function(1)


class BoundTest(DeferredTest):
    def setUp(self) -> None:
        self.addCleanup(tenure.deferred.set_bound, tenure.deferred.bound())

    def test_usual_one(self):
        self.assertEqual(self.check("print(tenure.deferred.bound())"), "0.1\n")

    def test_what_is_set_is_there(self):
        for seconds in 0.001, 0.25, 1, 3600, 3600.0, True, Fraction(1, 8), Decimal("0.5"):
            with self.subTest(seconds=seconds):
                self.assertIsNone(tenure.deferred.set_bound(seconds))
                self.assertIs(type(tenure.deferred.bound()), float)
                self.assertEqual(tenure.deferred.bound(), float(seconds))
        tenure.deferred.set_bound(seconds=2)
        self.assertEqual(tenure.deferred.bound(), 2.0)

    def test_numbers_that_are_no_bound(self):
        tenure.deferred.set_bound(0.5)
        for seconds in (0, -0.0, -1, 0.000999, 3600.001, 10**300, math.nan, math.inf, -math.inf):
            with self.subTest(seconds=seconds):
                with self.assertRaisesRegex(ValueError, "between 0.001 and 3600 seconds, not "):
                    tenure.deferred.set_bound(seconds)
                self.assertEqual(tenure.deferred.bound(), 0.5)
        with self.assertRaisesRegex(ValueError, "not -1$"):
            tenure.deferred.set_bound(-1)

    def test_what_is_no_number(self):
        tenure.deferred.set_bound(0.5)
        for seconds in ("1", b"1", None, [], 1j, object()):
            with self.subTest(seconds=seconds):
                with self.assertRaises(TypeError):
                    tenure.deferred.set_bound(seconds)
                self.assertEqual(tenure.deferred.bound(), 0.5)
        with self.assertRaises(TypeError):
            tenure.deferred.set_bound()

    def test_error_of_a_number_is_passed_on(self):
        class Broken:
            def __float__(self):
                raise KeyError("no number today")

        with self.assertRaises(KeyError):
            tenure.deferred.set_bound(Broken())

    def test_long_one_keeps_things_waiting(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            by_package(10)
            time.sleep(0.5)
            assert not destroyed
            """
        )


# The table of functions of each queue's copy, as tenure_deferred.h has it.
TABLES = """
import ctypes

class Table(ctypes.Structure):
    NAMES = ("queue_current", "defer_decref", "queue_defer_decref", "queue_has_pending",
             "queue_drain", "queue_flush", "queue_release_incrementally", "queue_count",
             "set_bound", "get_bound")
    _fields_ = [("size", ctypes.c_size_t), *((name, ctypes.c_void_p) for name in NAMES)]

def tables():
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    api.PyInterpreterState_GetDict.restype = ctypes.c_void_p
    api.PyInterpreterState_GetDict.argtypes = [ctypes.c_void_p]
    api.PyCapsule_GetContext.restype = ctypes.POINTER(Table)
    api.PyCapsule_GetContext.argtypes = [ctypes.py_object]
    # Borrowed, which a restype of py_object would not know.
    found = api.PyInterpreterState_GetDict(api.PyInterpreterState_Get())
    queues = ctypes.cast(found, ctypes.py_object).value["tenure.deferred.queues"]
    return [api.PyCapsule_GetContext(capsule).contents for capsule in queues]

def bounds():
    return [ctypes.CFUNCTYPE(ctypes.c_int64)(table.get_bound)() for table in tables()]
"""


class QueuesTest(DeferredTest):
    def test_each_copy_is_counted(self):
        self.check(
            """
            assert tenure.deferred.stats()["queues"] == 0
            by_package(1)
            assert tenure.deferred.stats()["queues"] == 1
            by_copy(1)
            assert tenure.deferred.stats()["queues"] == 2
            by_package(1)
            by_copy(1)
            assert tenure.deferred.stats()["queues"] == 2
            """
        )

    def test_both_are_seen_and_flushed(self):
        self.check(
            """
            by_package(0)
            by_copy(0)
            tenure.deferred.set_bound(3600)
            tenure.deferred.flush()
            before = tenure.deferred.stats()
            by_package(10)
            by_copy(100)
            stats = tenure.deferred.stats()
            # The function that was called with the hundred is dropped so too.
            assert stats["pending"] == 111, stats
            assert stats["pushed"] - before["pushed"] == 111, (before, stats)
            assert not destroyed
            assert tenure.deferred.flush() == 111
            after = tenure.deferred.stats()
            assert len(destroyed) == 110
            assert after["drained"] - before["drained"] == 111, (before, after)
            assert after["pending"] == 0 and after["high_water"] >= 101, after
            """
        )

    def test_bound_reaches_both(self):
        self.check(
            TABLES
            + textwrap.dedent(
                """
                by_package(1)
                by_copy(1)
                assert bounds() == [100_000_000, 100_000_000], bounds()
                assert {table.size for table in tables()} == {ctypes.sizeof(Table)}
                tenure.deferred.set_bound(0.25)
                assert bounds() == [250_000_000, 250_000_000], bounds()
                """
            )
        )

    def test_modules_with_symbols_in_sight_of_each_other(self):
        # Both export the same names; each has to go on using its own.
        for order in "by_package(1); by_copy(1)", "by_copy(1); by_package(1)":
            with self.subTest(order):
                self.check(
                    TABLES
                    + textwrap.dedent(
                        f"""
                        {order}
                        assert len({{table.get_bound for table in tables()}}) == 2
                        tenure.deferred.set_bound(0.25)
                        assert bounds() == [250_000_000, 250_000_000], bounds()
                        wait_until(lambda: len(destroyed) == 2)
                        """
                    ),
                    first="import os, sys\nsys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)\n",
                )


if __name__ == "__main__":
    unittest.main()
