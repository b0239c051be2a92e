"""The example in C: checksums, and the objects that were read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import (
    PACKAGE_FOLDER,
    ROOT,
    DroppingTests,
    ExampleCase,
    InterpreterTests,
    PackageTests,
    environment,
)

USE = """
import deferred_c

SLOW = 1_000_000

def hand_over(count, size=64):
    for _ in range(count):
        deferred_c.submit(Payload(size))

def finish():
    deferred_c.collect()
"""


class DeferredCTest(DroppingTests, InterpreterTests, PackageTests, ExampleCase):
    MODULE = "deferred_c"
    FOLDER = "examples/deferred_c"
    USE = USE

    def test_checksums(self):
        self.check(
            """
            import zlib
            parts = [os.urandom(size) for size in (0, 1, 2, 65520, 65521, 1_000_000)]
            parts += [bytearray(b"some"), memoryview(b"some")[1:3], memoryview(bytes(24)).cast("d")]
            numbers = {deferred_c.submit(part): part for part in parts}
            checksums = deferred_c.collect()
            assert checksums == {number: zlib.adler32(part) for number, part in numbers.items()}
            assert deferred_c.collect() == {}
            """
        )

    def test_data_stays_where_it_is_until_it_is_read(self):
        self.check(
            """
            tenure.deferred.set_bound(3600)
            data = bytearray(100)
            deferred_c.submit(data)
            try:
                data.append(1)
                raise AssertionError("a buffer in use was resized")
            except BufferError:
                pass
            deferred_c.collect()
            tenure.deferred.flush()
            data.append(1)
            """
        )

    def test_what_is_no_contiguous_data(self):
        shown = self.check(
            """
            for data in ("text", 1, None, memoryview(bytes(10))[::2]):
                try:
                    deferred_c.submit(data)
                except (TypeError, BufferError) as error:
                    print(type(error).__name__, error)
            assert deferred_c.collect() == {}
            """
        )
        self.assertEqual(shown.count("TypeError"), 3)
        self.assertIn("BufferError submit() needs contiguous data", shown)

    def test_child_of_a_fork_is_told(self):
        shown = self.check(
            """
            deferred_c.submit(b"")
            if os.fork() == 0:
                for call in (deferred_c.collect, lambda: deferred_c.submit(b"")):
                    try:
                        call()
                    except RuntimeError as error:
                        print(error, flush=True)
                sys.exit()
            assert os.wait()[1] == 0
            """
        )
        self.assertEqual(shown.count("stayed behind"), 2)

    def test_waiting_can_be_interrupted(self):
        self.check(
            """
            import signal
            def raises(*_):
                raise KeyError("interrupted")
            signal.signal(signal.SIGALRM, raises)
            # One for all, so that handing over takes no time in which some are done.
            data = Payload(10 * SLOW)
            for _ in range(300):
                deferred_c.submit(data)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                deferred_c.collect()
                raise AssertionError("300 checksums of 10 MB in 0.2 seconds?")
            except KeyError:
                pass
            """
        )

    def test_two_modules(self):
        self.check(
            """
            first = deferred_c
            del sys.modules["deferred_c"]
            import deferred_c
            assert first is not deferred_c
            first.submit(Payload())
            assert deferred_c.collect() == {}
            assert len(first.collect()) == 1
            del first
            wait_until(lambda: destroyed)
            destroyed_once(1)
            """
        )

    def test_module_dropped_with_work_left(self):
        self.check(
            """
            hand_over(100, SLOW)
            del sys.modules["deferred_c"], deferred_c
            import gc
            gc.collect()
            wait_until(lambda: len(destroyed) == 100)
            quiet()
            destroyed_once(100)
            """
        )

    def test_built_by_hand_as_its_comment_says(self):
        source = (ROOT / "examples/deferred_c/deferred_c.c").read_text()
        (comment,) = re.findall(r"Built by hand.*?:\n(.*?)\*/", source, re.DOTALL)
        commands = re.sub(r"^ \* ?", "", comment, flags=re.MULTILINE)
        with tempfile.TemporaryDirectory(prefix="tenure-test-") as name:
            folder = Path(name)
            for part in "core", "examples":
                (folder / part).symlink_to(ROOT / part)
            config = folder / "python3-config"
            config.write_text(f'#!/bin/sh\nexec {sys.executable}-config "$@"\n')
            config.chmod(0o755)
            result = subprocess.run(
                ["sh", "-e", "-c", commands],
                cwd=folder,
                capture_output=True,
                text=True,
                env=environment(PATH=f"{folder}:{os.environ['PATH']}"),
            )
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.check(
                "hand_over(100)\nfinish()\nwait_until(lambda: len(destroyed) == 100)\n"
                "print(deferred_c.__file__)",
                folders=[folder, PACKAGE_FOLDER],
            )


if __name__ == "__main__":
    unittest.main()
