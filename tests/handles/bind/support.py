"""What the tests of bound modules share."""

from __future__ import annotations

import functools
import gc
import subprocess
import sys
import textwrap
import unittest
import warnings

# Interpreters of a debug build count references.
COUNTS = hasattr(sys, "gettotalrefcount")

TIMES = 6


def once(test):
    """Marks a test that cannot be run again in the same process."""
    test.runs_once = True
    return test


def _total():
    """All references but those that caches hold."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys._clear_type_cache()
    return sys.gettotalrefcount()


def _counted(test):
    @functools.wraps(test)
    def run(self):
        test(self)
        if not COUNTS or getattr(test, "runs_once", False):
            return
        for _ in range(3):
            test(self)
        before = _total()
        for _ in range(TIMES):
            test(self)
        left = _total() - before
        self.assertLess(left, TIMES, "references are left behind")

    return run


class BindCase(unittest.TestCase):
    """Under a debug interpreter each test is run several times, and must leave no reference."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            if name.startswith("test") and callable(value):
                setattr(cls, name, _counted(value))

    def message(self, kind, function, *arguments, **by_name):
        """What the exception says that a call raises."""
        try:
            function(*arguments, **by_name)
        except kind as error:
            return str(error)
        self.fail(f"{kind.__name__} not raised")

    def run_alone(self, code, *, code_of_exit=0):
        """Runs a program in a process of its own. Answers what it printed."""
        result = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
            cwd=sys.path[0], capture_output=True, text=True, timeout=150,
        )
        self.assertEqual((result.returncode, result.stderr), (code_of_exit, ""), result.stdout)
        return result.stdout
