"""Bound modules: imported again, in other interpreters, by many threads, and without success."""

from __future__ import annotations

import copy
import gc
import importlib
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import weakref

from support import BindCase, once

NAME = "modules_sample"

INTERPRETERS = """
import sys
import _interpreters as interpreters
sys.path.insert(0, {path!r})
def run(code, config="isolated"):
    id = interpreters.create(config)
    try:
        error = interpreters.exec(id, "import sys; sys.path.insert(0, {path!r})\\n" + code)
        assert error is None, error
    finally:
        interpreters.destroy(id)
"""


def fresh():
    """A new copy of the module."""
    sys.modules.pop(NAME, None)
    import modules_sample

    return modules_sample


class CopiesTest(BindCase):
    def test_two_copies(self):
        one, other = fresh(), fresh()
        self.assertIsNot(one, other)
        self.assertIsNot(one.Thing, other.Thing)
        self.assertEqual((one.count(), one.count(), other.count()), (1, 2, 1))
        # A C++ object is what it is, whichever copy's class it has.
        self.assertEqual(one.number_of(other.Thing(5)) + other.number_of(one.Thing(6)), 11)
        self.assertEqual(one.Thing(5), other.Thing(5))
        # Answers are of the newest.
        self.assertIs(type(one.make_thing()), other.Thing)
        self.assertRaises(TypeError, type, "Both", (one.Thing, other.Thing), {})
        mine, yours = type("Mine", (one.Thing,), {}), type("Yours", (other.Thing,), {})
        with self.assertRaises(TypeError):
            mine().__class__ = yours

    def test_copies_go(self):
        one = fresh()
        kept = one.Thing(3)
        other = fresh()
        refs = [weakref.ref(other), weakref.ref(other.Thing)]
        sys.modules.pop(NAME)
        del other
        gc.collect()
        self.assertEqual([ref() for ref in refs], [None, None])
        self.assertIs(type(kept.next()), one.Thing)
        ref = weakref.ref(one)
        del one
        gc.collect()
        # Its class keeps the module.
        self.assertIsNotNone(ref())
        self.assertEqual(kept.next().number, 4)
        del kept
        gc.collect()
        self.assertIsNone(ref())

    def test_functions_of_a_copy_that_is_gone(self):
        function = fresh().make_thing
        sys.modules.pop(NAME)
        gc.collect()
        self.assertEqual(function().number, 7)
        self.assertEqual(function(number=3).next().number, 4)

    def test_state(self):
        sample = fresh()
        sample.seen()["me"] = sample.seen
        ref = weakref.ref(sample)
        self.assertEqual(sample.count(), 1)
        sys.modules.pop(NAME)
        del sample
        gc.collect()
        self.assertIsNone(ref())

    def test_other_name(self):
        import importlib.machinery
        import importlib.util

        path = fresh().__file__
        loader = importlib.machinery.ExtensionFileLoader("other.modules_sample", path)
        spec = importlib.util.spec_from_loader("other.modules_sample", loader)
        other = importlib.util.module_from_spec(spec)
        loader.exec_module(other)
        self.assertEqual((other.Thing.__module__, other.ParseError.__module__, other.count.__module__),
                         ("other.modules_sample",) * 3)
        self.assertEqual(fresh().Thing.__module__, NAME)

    def test_pickles(self):
        sample = fresh()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.assertEqual(pickle.loads(pickle.dumps(sample.Thing(5), protocol)), sample.Thing(5))
        self.assertEqual(copy.deepcopy([sample.Thing(4)])[0].number, 4)

    def test_stub(self):
        text = fresh().__tenure_stub__()
        compile(text, "modules_sample.pyi", "exec")
        self.assertIn("class Thing:", text)
        self.assertIn("def make_thing(number: int = 7) -> Thing: ...", text)
        self.assertNotIn("instance of", text)


class StubTest(BindCase):
    @once
    def test_stubs_are_read(self):
        mypy = shutil.which("mypy")
        if mypy is None:
            self.skipTest("no mypy")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("classes", "functions", "modules", "storage"):
                module = importlib.import_module(f"{name}_sample")
                pathlib.Path(folder, f"{name}_sample.pyi").write_text(module.__tenure_stub__(), "utf-8")
            result = subprocess.run(
                [mypy, "--cache-dir", os.devnull, *os.listdir(folder)],
                cwd=folder, capture_output=True, text=True, timeout=150)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class FailingTest(BindCase):
    def tearDown(self):
        if hasattr(sys, "modules_sample_fails"):
            del sys.modules_sample_fails

    def test_import_that_fails(self):
        for place, kind in (("begin", RuntimeError), ("middle", KeyError), ("end", MemoryError)):
            sys.modules_sample_fails = place
            self.assertRaises(kind, fresh)
            self.assertNotIn(NAME, sys.modules)
            del sys.modules_sample_fails
            self.assertEqual(fresh().Thing(1).next().number, 2)

    @once
    def test_first_import_that_fails(self):
        for place, kind in (("begin", "RuntimeError"), ("middle", "KeyError"), ("end", "MemoryError")):
            self.run_alone(f"""
                import gc, sys
                sys.path.insert(0, {sys.path[0]!r})
                for place in ({place!r}, "begin", "middle", "end", {place!r}):
                    sys.modules_sample_fails = place
                    try:
                        import modules_sample
                        raise AssertionError
                    except (RuntimeError, KeyError, MemoryError) as error:
                        if place == {place!r}:
                            assert type(error) is {kind}
                    gc.collect()
                del sys.modules_sample_fails
                import modules_sample as sample
                assert sample.Thing(1).next() == sample.Thing(number=2)
                assert sample.make_thing().number == 7 and sample.count() == 1
                assert sample.__tenure_stub__().count("def make_thing") == 1
                """)

    @once
    def test_no_memory(self):
        try:
            import _testcapi
        except ImportError:
            self.skipTest("no _testcapi")
        if not hasattr(_testcapi, "set_nomemory"):
            self.skipTest("no set_nomemory()")
        self.run_alone(f"""
            import sys
            sys.path.insert(0, {sys.path[0]!r})
            import importlib.machinery, importlib.util, _testcapi, gc
            spec = importlib.util.find_spec("modules_sample")
            for n in range(0, 2000):
                module = None
                _testcapi.set_nomemory(n, 0)
                try:
                    module = spec.loader.create_module(spec)
                    spec.loader.exec_module(module)
                    _testcapi.remove_mem_hooks()
                    break
                except MemoryError:
                    _testcapi.remove_mem_hooks()
                except SystemError:
                    _testcapi.remove_mem_hooks()
                    raise
            else:
                raise AssertionError("more than that?")
            module = None
            gc.collect()
            import modules_sample as sample
            assert sample.Thing(1).next().number == 2
            """)

    def test_without_state(self):
        sys.modules_sample_fails = "state"
        sample = fresh()
        self.assertRaises((SystemError, TypeError), sample.count)
        self.assertEqual(sample.Thing(1).number, 1)


class ExceptionsTest(BindCase):
    def test_own(self):
        sample = fresh()
        self.assertTrue(issubclass(sample.ParseError, ValueError) and issubclass(sample.LineError, SyntaxError))
        self.assertEqual(sample.ParseError.__doc__, "It cannot be read.")
        for message in ("", "line 1", "ä"):
            self.assertEqual(self.message(sample.ParseError, sample.raise_parse_error, message), message)
        self.assertEqual(self.message(sample.LineError, sample.raise_line_error), "line 5")
        other = fresh()
        self.assertRaises(other.ParseError, other.raise_parse_error, "")

    def test_others(self):
        sample = fresh()
        kinds = [MemoryError, IndexError, ValueError, OverflowError, RuntimeError, FileNotFoundError, RuntimeError,
                 RuntimeError, KeyError]
        for number, kind in enumerate(kinds):
            with self.assertRaises(kind) as caught:
                sample.raise_of_kind(number)
            self.assertIs(type(caught.exception), kind)
            if number == 7:
                self.assertIsInstance(caught.exception.__cause__, IndexError)
        self.assertIsNone(sample.raise_of_kind(100))


class InterpretersTest(BindCase):
    def run_in_others(self, code):
        return self.run_alone(INTERPRETERS.format(path=sys.path[0]) + code)

    USE = """
import modules_sample as sample
assert sample.Thing(1).next() == sample.Thing(number=2)
assert sample.make_thing(number=3).number == 3
assert type(sample.make_thing()) is sample.Thing
assert sample.count() == 1 and sample.seen() == {}
try:
    sample.raise_parse_error("x")
    raise AssertionError
except sample.ParseError as error:
    assert str(error) == "x"
try:
    sample.make_thing(nomber=3)
    raise AssertionError
except TypeError:
    pass
"""

    @once
    def test_one_after_another(self):
        for config in ("isolated", "legacy"):
            self.run_in_others(f"""
USE = {self.USE!r}
for _ in range(5):
    run(USE, {config!r})
exec(USE)
for _ in range(5):
    run(USE, {config!r})
import modules_sample as sample
assert sample.Thing(1).next() == sample.Thing(number=2) and sample.count() == 2
""")

    @once
    def test_at_once(self):
        self.run_in_others(f"""
import threading
USE = {self.USE!r} + '''
for i in range(2000):
    assert sample.make_thing(number=i).next().number == i + 1
'''
import modules_sample
threads = [threading.Thread(target=run, args=(USE,)) for _ in range(4)]
for thread in threads: thread.start()
exec(USE)
for thread in threads: thread.join()
""")

    @once
    def test_own_gil_only_where_said(self):
        # Classes and functions say it too, this module here.
        self.run_in_others(f"""
run("import functions_sample, classes_sample, storage_sample; storage_sample.Watcher([])")
""")


class ThreadsTest(BindCase):
    @once
    def test_imports_at_once(self):
        for _ in range(5):
            self.run_alone(f"""
                import importlib.util, sys, threading
                sys.path.insert(0, {sys.path[0]!r})
                sys.setswitchinterval(1e-6)
                barrier = threading.Barrier(6)
                failed = []
                def work(name):
                    barrier.wait()
                    try:
                        module = __import__(name)
                        if name == "modules_sample":
                            assert module.Thing(1).next().number == 2
                        # Another copy, beside sys.modules: importlib bears no one who changes that.
                        copy = importlib.util.module_from_spec(module.__spec__)
                        module.__spec__.loader.exec_module(copy)
                        if name == "modules_sample":
                            assert copy.Thing(1).next().number == 2
                    except BaseException as error:
                        failed.append(error)
                names = ["modules_sample", "functions_sample", "classes_sample"] * 2
                threads = [threading.Thread(target=work, args=(name,)) for name in names]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                assert not failed, failed
                """)

    def test_gil_stays_off(self):
        if hasattr(sys, "_is_gil_enabled") and "free-threading" in sys.version:
            fresh()
            self.assertFalse(sys._is_gil_enabled())

    def test_classes_in_threads(self):
        sample = fresh()

        def work():
            for i in range(1000):
                thing = sample.Thing(i)
                assert thing.next().number == i + 1
                assert sample.make_thing(number=i) == thing

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class ExitTest(BindCase):
    @once
    def test_use_at_exit(self):
        self.run_alone(f"""
            import sys
            sys.path.insert(0, {sys.path[0]!r})
            import modules_sample as sample, storage_sample
            class Last:
                def __del__(self, sample=sample, Thing=sample.Thing, make=sample.make_thing):
                    thing = Thing(5)
                    try:
                        assert thing.next().number == 6 and make().number == 7
                    except TypeError as error:
                        assert "no module" in str(error)
            last = Last()
            sys.last = Last()
            watcher = storage_sample.Watcher(Last())
            watcher.callback = [watcher, Last()]
            things = [sample.Thing(1), sample]
            things.append(things)
            """)


if __name__ == "__main__":
    unittest.main()
