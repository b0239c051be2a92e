"""What the tests of the examples share.

Each test is a program in a fresh interpreter: PRELUDE, then what a class says about its example
(USE), then the test. USE defines:

hand_over(count): has that many payloads dropped by threads of the example, sooner or later.
finish(): waits until these threads have dropped all of them.
SLOW: for hand_over(count, SLOW), so that each payload keeps a thread busy for some milliseconds.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path

import tenure

ROOT = Path.cwd()
PACKAGE_FOLDER = str(Path(tenure.__file__).parent.parent)

sys.path.insert(0, "tools/lint")

import exports

PRELUDE = """
import itertools
import os
import sys
import threading
import time
from collections import Counter

import tenure

destroyed = Counter()  # number of a payload: how often it was destroyed
times = []  # when
numbers = itertools.count()


class Payload(bytearray):
    def __init__(self, size=64):
        super().__init__(size)
        self.number = next(numbers)

    def __del__(self, destroyed=destroyed, times=times, now=time.monotonic):
        destroyed[self.number] += 1
        times.append(now())


def wait_until(condition, pause=lambda: time.sleep(0.01)):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, (len(destroyed), tenure.deferred.stats())
        pause()


def quiet():
    '''Nothing is left to do; returns the counts of that moment.'''
    tenure.deferred.flush()
    stats = tenure.deferred.stats()
    assert stats["pushed"] == stats["drained"] + stats["pending"] + stats["leaked"], stats
    assert stats["pending"] == stats["leaked"] == stats["dismantling"] == 0, stats
    return stats


def destroyed_once(count):
    assert len(destroyed) == count, (len(destroyed), count)
    assert set(destroyed.values()) <= {1}, destroyed.most_common(3)


def in_child():
    '''Does what has to be done after a fork to use the example.'''


def hand_over_in_threads(threads, count):
    workers = [threading.Thread(target=hand_over, args=(count,)) for _ in range(threads)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
"""


_LEAK_REPORT = re.compile(r"nanobind: leaked .*?/refleaks\.html", re.DOTALL)


def environment(**changes: str | None) -> dict[str, str]:
    """Ours, without what would change a child's output; None removes a variable."""
    result = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": PACKAGE_FOLDER}
    for name in ("PYTHON_COLORS", "FORCE_COLOR", "PYTHONHASHSEED", "PYTHONOPTIMIZE"):
        result.pop(name, None)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


class ExampleCase(unittest.TestCase):
    MODULE = ""  # its name
    FOLDER = ""  # where it is, from the root
    USE = ""

    @property
    def path(self) -> Path:
        """The extension module."""
        (path,) = (ROOT / self.FOLDER).glob(f"{self.MODULE}.*.so")
        return path

    def run_code(
        self,
        code: str,
        *,
        options: Sequence[str] = (),
        folders: Sequence[str | Path] | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program; fails if it is killed or hangs."""
        if folders is None:
            folders = [self.path.parent, PACKAGE_FOLDER]
        path = os.pathsep.join(map(str, folders))
        # Forking with threads is what some of these do.
        options = ["-W", "ignore::DeprecationWarning", *options]
        result = subprocess.run(
            [sys.executable, *options, "-c", textwrap.dedent(code)],
            capture_output=True,
            encoding="utf-8",
            env=environment(PYTHONPATH=path, **(env or {})),
            timeout=120,
        )
        if result.returncode < 0:
            name = signal.Signals(-result.returncode).name
            self.fail(f"the interpreter was killed by {name}\n{result.stdout}{result.stderr}")
        return result

    def program(self, code: str) -> str:
        return f"{PRELUDE}\n{textwrap.dedent(self.USE)}\n{textwrap.dedent(code)}"

    def check(self, code: str, *, leaves: bool = False, **more: object) -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed.

        leaves: objects of the example may be left when the interpreter has ended, as those of a
        forked child's parent or of a daemon thread are; some binding libraries tell of them.
        """
        result = self.run_code(self.program(code), **more)
        stderr = _LEAK_REPORT.sub("", result.stderr) if leaves else result.stderr
        self.assertEqual((result.returncode, stderr), (0, ""), result.stdout)
        return result.stdout


class DroppingTests:
    """What holds of every example. To be inherited in front of ExampleCase."""

    def test_exports_nothing_but_its_own(self):
        self.assertEqual(exports.check_library(self.path), [])

    def test_every_object_is_destroyed_once(self):
        self.check(
            """
            before = tenure.deferred.stats()["pushed"]
            hand_over_in_threads(8, 1000)
            finish()
            wait_until(lambda: len(destroyed) == 8000)
            stats = quiet()
            destroyed_once(8000)
            assert stats["pushed"] - before >= 8000, stats
            """
        )

    def test_flush_does_all_that_waits(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            hand_over(100)
            finish()
            stats = tenure.deferred.stats()
            assert stats["pending"] >= 100 and not destroyed, (stats, destroyed)
            assert tenure.deferred.flush() == stats["pending"]
            destroyed_once(100)
            assert tenure.deferred.flush() == 0
            quiet()
            """
        )

    def test_progress_while_python_runs(self):
        self.check(
            """
            hand_over(200)
            finish()
            wait_until(lambda: len(destroyed) == 200, pause=lambda: sum(range(1000)))
            destroyed_once(200)
            """
        )

    def test_progress_while_the_main_thread_sleeps(self):
        self.check(
            """
            hand_over(200)
            finish()
            asleep = time.monotonic()
            time.sleep(2)
            awake = time.monotonic()
            destroyed_once(200)
            # Meanwhile, not on waking up.
            assert max(times) < awake - 0.5, (asleep, awake, max(times))
            """
        )

    def test_progress_while_the_main_thread_waits_for_another(self):
        self.check(
            """
            def work():
                hand_over(200)
                finish()
                wait_until(lambda: len(destroyed) == 200)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            destroyed_once(200)
            """
        )

    def test_exit_with_work_left(self):
        for end in (
            "",
            "sys.exit()",
            "os._exit(0)",
            "import atexit; atexit.register(hand_over, 10)",
            "threading.Thread(target=hand_over, args=(50, SLOW)).start()",
            "threading.excepthook = print\n"
            "threading.Thread(target=hand_over, args=(5000,), daemon=True).start()",
            "tenure.deferred.set_bound(3600)",
            "finish()",
            "keep = sys.modules",
        ):
            for turn in range(4):
                with self.subTest(end, turn=turn):
                    self.check(f"hand_over(50, SLOW)\n{end}\n", leaves="daemon" in end)

    def test_nothing_is_destroyed_twice_at_exit(self):
        # What is destroyed after the last atexit function is counted by the pipe.
        for turn in range(5):
            shown = self.check(
                """
                class Noisy(Payload):
                    def __del__(self, write=os.write):
                        write(1, b"%d\\n" % self.number)
                Payload = Noisy
                hand_over(300)
                """
            ).split()
            self.assertEqual(len(shown), len(set(shown)))

    def test_fork_while_threads_work(self):
        self.check(
            """
            for turn in range(10):
                hand_over(50)
                hand_over(5, SLOW)
                child = os.fork()
                if child == 0:
                    tenure.deferred.flush()
                    stats = tenure.deferred.stats()
                    assert stats["pushed"] == stats["drained"] + stats["pending"] + stats["leaked"]
                    assert stats["pending"] == 0, stats
                    assert set(destroyed.values()) <= {1}
                    if turn % 2:
                        sys.exit()
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
            finish()
            wait_until(lambda: len(destroyed) == 550)
            quiet()
            destroyed_once(550)
            """,
            leaves=True,
        )

    def test_fork_before_the_first_use(self):
        self.check(
            """
            child = os.fork()
            if child == 0:
                in_child()
            hand_over(100)
            finish()
            wait_until(lambda: len(destroyed) == 100)
            quiet()
            destroyed_once(100)
            if child == 0:
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
            """
        )

    def test_subprocess_while_threads_work(self):
        self.check(
            """
            import subprocess
            for turn in range(10):
                hand_over(50)
                hand_over(5, SLOW)
                other = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True)
                assert (other.returncode, other.stdout) == (0, b"1\\n"), other
            finish()
            wait_until(lambda: len(destroyed) == 550)
            destroyed_once(550)
            """
        )

    def test_destructors_that_hand_over_more(self):
        self.check(
            """
            class Parent(Payload):
                def __del__(self):
                    super().__del__()
                    if self.number < 100:
                        hand_over(1)
            First, Payload = Payload, Parent
            hand_over(100)
            Payload = First
            wait_until(lambda: len(destroyed) == 200)
            finish()
            quiet()
            destroyed_once(200)
            """
        )


INTERPRETERS = """
import _interpreters
def run(code, config="isolated"):
    interpreter = _interpreters.create(config)
    try:
        error = _interpreters.exec(interpreter, code)
        if error is not None:
            print(error.formatted)
    finally:
        _interpreters.destroy(interpreter)
"""


class InterpreterTests:
    """Of examples that every interpreter can import."""

    def test_subinterpreters(self):
        inside = self.program(
            """
            hand_over(200)
            finish()
            wait_until(lambda: len(destroyed) == 200)
            quiet()
            destroyed_once(200)
            hand_over(20, SLOW)
            """
        )
        for config in "isolated", "legacy":
            with self.subTest(config):
                shown = self.check(
                    f"{INTERPRETERS}\nfor turn in range(3): run({inside!r}, {config!r})\n"
                    "hand_over(100)\nfinish()\nwait_until(lambda: len(destroyed) == 100)\n"
                )
                self.assertEqual(shown, "")

    def test_interpreters_at_once(self):
        inside = self.program(
            """
            hand_over_in_threads(2, 500)
            finish()
            wait_until(lambda: len(destroyed) == 1000)
            destroyed_once(1000)
            """
        )
        shown = self.check(
            f"""
            {textwrap.indent(INTERPRETERS, " " * 12)}
            threads = [threading.Thread(target=run, args=({inside!r},)) for _ in range(4)]
            for thread in threads: thread.start()
            hand_over(1000)
            finish()
            for thread in threads: thread.join()
            wait_until(lambda: len(destroyed) == 1000)
            """
        )
        self.assertEqual(shown, "")

    @unittest.skipIf(sys.version_info < (3, 14), "concurrent.interpreters is new in 3.14")
    def test_interpreters_of_the_standard_library(self):
        inside = self.program("hand_over(100)\nfinish()\nwait_until(lambda: len(destroyed) == 100)")
        shown = self.check(
            f"""
            from concurrent import interpreters
            for turn in range(3):
                interpreter = interpreters.create()
                interpreter.exec({inside!r})
                interpreter.exec("destroyed_once(100)")
                interpreter.close()
            """
        )
        self.assertEqual(shown, "")


class MainInterpreterTests:
    """Of examples that only the main interpreter can import."""

    def test_subinterpreters_are_told(self):
        for config in "isolated", "legacy":
            with self.subTest(config):
                shown = self.check(f"{INTERPRETERS}\nrun('import {self.MODULE}', {config!r})\n")
                self.assertRegex(shown, f"ImportError.*{self.MODULE}.*(subinterp|main interp)")
                self.check("hand_over(10)")


class PackageTests:
    """Of examples that use the functions of the tenure package."""

    def test_no_package(self):
        code = f"import {self.MODULE}"
        result = self.run_code(code, folders=[self.path.parent])
        self.assertEqual(result.returncode, 1)
        # Whatever the binding library makes of it, the package that is missing is named.
        self.assertRegex(result.stderr, r"(ImportError|ModuleNotFoundError): .*\btenure\b")

    def test_modules_share_the_queue_of_the_package(self):
        self.check('hand_over(1)\nassert tenure.deferred.stats()["queues"] == 1')
