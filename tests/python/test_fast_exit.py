"""`run --fast-exit` against the interpreter itself: from outside, programs end the same.

What each program does at its end is left to the interpreter, or has to be written by us.
"""

from __future__ import annotations

import importlib.util
import signal
import sysconfig
import unittest
from pathlib import Path

from exit_support import FAST, ExitTest, run


HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")


class StatusTest(ExitTest):
    def test_status(self):
        for ending, status in (
            ("pass", 0),
            ("sys.exit()", 0),
            ("sys.exit(None)", 0),
            ("sys.exit(7)", 7),
            ("sys.exit(True)", 1),
            ("sys.exit(259)", 3),
            ("sys.exit(-2)", 254),
            ("sys.exit(2**70)", 255),
            ("sys.exit('a message, é')", 1),
            ("sys.exit((1, 2))", 1),
            ("raise SystemExit(4)", 4),
            ("sys.stderr = None; sys.exit('a message')", 1),
        ):
            with self.subTest(ending):
                self.assertEqual(self.same(f"import sys\n{ending}\n").status, status)

    def test_exceptions(self):
        for ending in (
            "def f():\n    1 / 0\nf()",
            "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])",
            "class Odd(BaseException): pass\nraise Odd('odd')",
            "try:\n    1 / 0\nexcept ArithmeticError as error:\n    raise ValueError from error",
            "x = 1\nif x:\ny = 2",
            "import sys\nsys.excepthook = lambda *a: print('hook', a[1])\n1 / 0",
            "import sys\nsys.excepthook = lambda *a: 1 // 0\n[][1]",
            "import atexit, sys\natexit.register(lambda: print(sys.last_value))\n1 / 0",
        ):
            with self.subTest(ending):
                if "if x" in ending:  # it never ran
                    usual, fast = run(ending), run(ending, *FAST)
                    self.assertEqual(usual, fast)
                else:
                    fast = self.same(ending)
                self.assertEqual(fast.status, 1)

    def test_hook_that_exits(self):
        code = "import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1 / 0"
        usual, fast = run(code), run(code, *FAST)
        self.assertEqual(usual, fast)
        self.assertEqual(fast.status, 9)

    def test_interrupts(self):
        for ending in (
            "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
            "raise KeyboardInterrupt",
            "import atexit; atexit.register(print, 'late'); raise KeyboardInterrupt('why')",
        ):
            with self.subTest(ending):
                self.assertEqual(self.same(ending).status, -signal.SIGINT)
        # Which depends on the version.
        self.same("class Mine(KeyboardInterrupt): pass\nraise Mine")

    def test_modules_and_code(self):
        for command in (("-c", "import sys; print('x'); sys.exit(3)"), ("-m", "this")):
            usual = run("", *command)
            fast = run("", "-m", "tenure", "run", "--fast-exit", *command)
            self.assertEqual((usual.status, usual.output), (fast.status, fast.output))
            # Without a program in a file, FILE may be left out or be a dash.
            self.assertEqual(fast, run("", *FAST, *command))


class WaitingTest(ExitTest):
    def test_threads_and_atexit_in_order(self):
        fast = self.same(
            """
            import atexit, threading, time
            atexit.register(print, "first registered")
            atexit.register(lambda: 1 / 0)
            atexit.register(print, "last registered")
            threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
            threading.Timer(0.05, print, ["timer"]).start()
            print("main")
            """
        )
        lines = ["main", "timer", "thread", "last registered", "first registered"]
        self.assertEqual(fast.output.splitlines(), lines)
        self.assertIn("ZeroDivisionError", fast.errors)

    def test_daemon_threads(self):
        for body in ("time.sleep(0.001)", "pass", "open('/dev/null', 'w').write('x')"):
            with self.subTest(body):
                self.same(
                    f"""
                    import threading, time
                    def work():
                        while True:
                            {body}
                    threading.Thread(target=work, daemon=True).start()
                    print("main")
                    """,
                    is_held=True,
                )

    def test_file_that_a_daemon_thread_is_writing(self):
        # One that holds the file's lock is stopped for good; who wants to write waits in vain.
        fast = self.same(
            """
            import os, threading
            read, write = os.pipe()
            file = open(write, "w")
            ready = threading.Event()
            def fill():
                ready.set()
                file.write("x" * 10_000_000)
            threading.Thread(target=fill, daemon=True).start()
            ready.wait()
            os.read(read, 1)
            print("main")
            """,
            is_held=True,
        )
        self.assertEqual((fast.status, fast.output), (0, "main\n"))

    def test_daemon_thread_that_reads(self):
        self.same(
            """
            import os, threading, time
            file = open(os.pipe()[0])
            threading.Thread(target=file.readline, daemon=True).start()
            time.sleep(0.1)
            """
        )

    def test_executors_and_processes(self):
        for code, output in (
            ("e = ThreadPoolExecutor(2); e.submit(lambda: (time.sleep(0.1), print('done')))", "done"),
            ("e = ProcessPoolExecutor(1, fork); e.submit(print, 'done', flush=True)", "done"),
            ("fork.Process(target=lambda: (time.sleep(0.1), print('child'))).start()", "child"),
            ("fork.Process(target=time.sleep, args=(600,), daemon=True).start()", ""),
            ("q = fork.Queue(); q.put('x' * 1000); print('put')", "put"),
            ("m = fork.Manager(); d = m.dict(a=1); print(d['a'])", "1"),
        ):
            with self.subTest(code):
                fast = self.same(
                    "import multiprocessing, time\n"
                    "from concurrent.futures import *\n"
                    f"fork = multiprocessing.get_context('fork')\n{code}\n"
                )
                self.assertEqual(fast.output.strip(), output)

    def test_atexit_functions_may_do_anything(self):
        for code in (
            "atexit.register(gc.collect)",
            "gc.disable()",
            "atexit.register(lambda: threading.Thread(target=print, args=('t',)).start())",
            "atexit.register(lambda: atexit.register(print, 'nested'))",
            "atexit.register(sys.exit, 5)",
            "atexit.register(lambda: print('x' * 100_000))",
            "atexit.register(lambda: (_ for _ in ()).throw(KeyboardInterrupt))",
            "atexit._clear()",
        ):
            with self.subTest(code):
                self.same(f"import atexit, gc, sys, threading\n{code}\nprint('end')\n")

    def test_where_it_cannot_be_cut_short(self):
        for code in (
            "atexit.register(gc.disable)",
            "atexit.register(gc.callbacks.clear)",
        ):
            with self.subTest(code):
                self.same(f"import atexit, gc\n{code}\nprint('end')\n", in_full=True)

    def test_subinterpreters(self):
        code = """
            try:
                import _interpreters
            except ImportError:
                import _xxsubinterpreters as _interpreters
            one = _interpreters.create()
            _interpreters.run_string(one, "import atexit; atexit.register(print, 'sub')")
            """
        usual, fast = run(code), run(code, *FAST)
        self.assertEqual((usual.status, usual.output), (fast.status, fast.output))
        self.assertEqual(usual.errors, fast.errors)
        self.assertIn("sub", fast.output)


class OutputTest(ExitTest):
    def test_streams(self):
        for code in (
            "print('a', end='')",
            "sys.stdout.write('é' * 100_000)",
            "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('é')",
            "other = open(1, 'w', closefd=False); other.write('other '); print('a')",
            "other = os.fdopen(os.dup(1), 'wb'); other.write(b'other'); print('a')",
            "print('a'); sys.stdout.close()",
            "print('a'); sys.stdout = None",
            "print('a'); del sys.stdout, sys.stderr",
            "print('a'); os.close(1)",
            "sys.stdout.write('hidden '); sys.stdout = io.StringIO(); print('lost')",
            "sys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer); print('é')",
            "held = sys.stdout.detach(); held.write(b'bytes')",
            "sys.stderr.write('not a line'); os.write(1, b'x')",
        ):
            with self.subTest(code):
                self.same(f"import codecs, io, os, sys\n{code}\n")

    def test_streams_of_the_program(self):
        for flush in ("", "    def flush(self): pass\n"):
            with self.subTest(flush):
                fast = self.same(
                    "import sys\nclass Tee:\n"
                    "    def write(self, text): sys.__stdout__.write(text)\n"
                    f"{flush}sys.stdout = Tee()\nprint('a')\n"
                )
                self.assertEqual(fast.status, 0 if flush else 120)

    def test_output_that_cannot_be_written(self):
        for code in ("print('a')", "import sys\nprint('a')\nsys.exit(3)", "print('a' * 100_000)"):
            with self.subTest(code), open("/dev/full", "w") as full:
                usual, fast = run(code, output=full), run(code, *FAST, output=full)
                self.assertEqual((usual.status, usual.errors), (fast.status, fast.errors))
                self.assertNotEqual(fast.status, 0)


class FilesTest(ExitTest):
    """Files that the program leaves open."""

    def kept(self, code: str, **files: bytes | None) -> None:
        """The program must leave these files, whichever way it ends."""
        with self.subTest(code):
            names = "csv, io, os, zipfile"
            fast = run(f"import {names}\n{code}\n", *FAST)
            self.assertEqual((fast.status, fast.errors, fast.was_torn_down), (0, "", False))
            if HAS_GIL:  # without one, a full finalization loses many of these
                usual = run(f"import {names}\n{code}\n")
                self.assertEqual(usual.files, fast.files)
            for name, content in files.items():
                self.assertEqual(fast.files[name], content)

    def test_plain(self):
        self.kept("f = open('f', 'w'); f.write('abc')", f=b"abc")
        self.kept("f = open('f', 'wb'); f.write(b'abc')", f=b"abc")
        self.kept("f = open('f', 'w+b'); f.write(b'abcdef'); f.seek(2); f.write(b'X')", f=b"abXdef")
        self.kept("f = open('f', 'x', encoding='utf-16'); f.write('é')", f="é".encode("utf-16"))
        self.kept("f = open('f', 'a'); f.write('abc'); f = [f]", f=b"abc")
        self.kept("f = open('f', 'wb', buffering=0); f.write(b'abc')", f=b"abc")
        self.kept("f = io.BufferedWriter(io.FileIO('f', 'w')); f.write(b'abc')", f=b"abc")
        self.kept("w = csv.writer(open('f', 'w')); w.writerow([1, 2])", f=b"1,2\r\n")
        self.kept("f = open('f', 'w'); f.write('a'); f.close(); f = open('f')", f=b"a")

    def test_hidden_from_the_collector(self):
        for code in ("gc.freeze()", "gc.disable()", "gc.disable(); gc.freeze()"):
            fast = run(f"import gc\nf = open('f', 'w'); f.write('abc'); {code}\n", *FAST)
            self.assertEqual((fast.files["f"], fast.was_torn_down), (b"abc", False))

    def test_others_of_io(self):
        self.kept(
            "class Mine(io.RawIOBase):\n"
            "    def writable(self): return True\n"
            "    def write(self, data, write=os.write, to=os.open('f', 0o101)):\n"
            "        return write(to, data)\n"
            "f = io.TextIOWrapper(io.BufferedWriter(Mine())); f.write('abc')",
            f=b"abc",
        )
        self.kept(
            "class Mine(io.BytesIO):\n"
            "    def close(self, write=os.write, to=os.open('f', 0o101)):\n"
            "        if not self.closed: write(to, self.getvalue())\n"
            "        super().close()\n"
            "f = Mine(b'abc')",
            f=b"abc",
        )
        self.kept(
            "a, b = os.pipe(), os.pipe()\n"
            "f = io.BufferedRWPair(io.FileIO(a[0]), io.FileIO('f', 'w')); f.write(b'abc')",
            f=b"abc",
        )

    def test_compressed(self):
        for name in ("gzip", "bz2", "lzma"):
            try:
                module = importlib.import_module(name)
            except ImportError:  # an interpreter without it
                continue
            for mode, data in (("wt", "'abc' * 100"), ("wb", "b'abc' * 100")):
                code = f"import {name}\nf = {name}.open('f', '{mode}'); f.write({data})\n"
                with self.subTest(code):
                    fast = run(code, *FAST)
                    # A full finalization of gzip's leaves out the end.
                    self.assertEqual(module.decompress(fast.files["f"]), b"abc" * 100)
                    self.assertFalse(fast.was_torn_down)

    def test_archives(self):
        stamp = "(1980, 1, 1, 0, 0, 0)"
        self.kept(
            f"z = zipfile.ZipFile('f', 'w'); z.writestr(zipfile.ZipInfo('a', {stamp}), b'abc')"
        )
        self.kept("import tarfile\nt = tarfile.open('f', 'w|'); t.addfile(tarfile.TarInfo('a'))")

    def test_other_classes_of_the_library(self):
        self.kept(
            "import wave\nw = wave.open('f', 'wb')\n"
            "w.setparams((1, 1, 8000, 0, 'NONE', '')); w.writeframesraw(b'abcd')"
        )
        self.kept("import dbm.dumb\nd = dbm.dumb.open('f'); d['a'] = '1'")
        self.kept("import dbm.dumb, shelve\ns = shelve.Shelf(dbm.dumb.open('f')); s['a'] = 1")
        self.kept(
            "open('f', 'w').write('a\\nb\\n')\nimport fileinput\n"
            "i = fileinput.FileInput('f', inplace=True)\nprint(next(i).upper(), end='')"
        )
        if importlib.util.find_spec("_sqlite3"):
            self.kept(
                "import sqlite3\nc = sqlite3.connect('f'); c.execute('pragma journal_mode = wal')\n"
                "c.execute('create table t (x)'); c.commit()"
            )

    def test_temporary(self):
        for code in (
            "t = tempfile.NamedTemporaryFile(dir='.'); t.write(b'x')",
            "t = tempfile.NamedTemporaryFile('w', dir='.'); t.write('x'); t = [t.file, t]",
            "t = tempfile.TemporaryDirectory(dir='.'); open(t.name + '/f', 'w').write('x')",
            "t = tempfile.SpooledTemporaryFile(10, dir='.'); t.write(b'x' * 100)",
        ):
            with self.subTest(code):
                self.assertEqual(self.same(f"import tempfile\n{code}\n").files, {})

    def test_logging(self):
        fast = self.same(
            """
            import logging, logging.handlers
            file = logging.FileHandler("f")
            handler = logging.handlers.MemoryHandler(100, target=file)
            logging.getLogger().addHandler(handler)
            logging.warning("hello")
            """
        )
        self.assertEqual(fast.files, {"f": b"hello\n"})

    def test_pipes_and_sockets(self):
        for code in (
            "import os\nf = os.popen('cat', 'w'); f.write('abc')",
            "import subprocess as s\np = s.Popen('cat', stdin=s.PIPE, text=True)\n"
            "p.stdin.write('abc')",
        ):
            with self.subTest(code):
                # Its output is read until the other process has ended, too.
                self.assertEqual(self.same(code).output, "abc")

    def test_socket(self):
        # A full finalization may close the socket before the file that writes to it.
        fast = run(
            "import socket, subprocess\na, b = socket.socketpair()\n"
            "p = subprocess.Popen('cat', stdin=b); b.close()\n"
            "f = a.makefile('w'); f.write('abc')",
            *FAST,
        )
        self.assertEqual((fast.output, fast.errors), ("abc", ""))

    def test_written_by_atexit_functions(self):
        self.kept("import atexit\nf = open('f', 'w'); atexit.register(f.write, 'late')", f=b"late")

    def test_many(self):
        self.kept(
            "f = [open(f'f{i}', 'w') for i in range(300)]\n"
            "for i, one in enumerate(f): one.write(str(i))",
            f0=b"0",
            f299=b"299",
        )

    def test_errors_are_reported(self):
        code = "f = open('/dev/full', 'w'); f.write('abc')"
        # How much of the story is told depends on how much is left of the interpreter.
        usual, fast = run(code), run(code, *FAST)
        self.assertEqual(usual.errors.splitlines()[0], fast.errors.splitlines()[0])
        self.assertEqual(usual.errors.splitlines()[-1], fast.errors.splitlines()[-1])
        self.assertIn("No space left", fast.errors)
        self.assertEqual((fast.status, fast.was_torn_down), (0, False))

    def test_more_than_a_full_finalization_does(self):
        # What a cycle keeps open is written, whose order in a full one is left to the collector.
        fast = run("f = open('f', 'w'); f.write('abc'); x = [f]; x.append(x); del f, x", *FAST)
        self.assertEqual(fast.files["f"], b"abc")


class ExtensionsTest(ExitTest):
    def test_functions_for_the_end(self):
        fast = self.same(
            """
            import os, sys
            sys.path.append(os.environ["EXTENSIONS"])
            import exit_functions
            print("end")
            """,
            EXTENSIONS=str(Path.cwd() / "tests/python"),
        )
        lines = ["end", "Py_AtExit, second", "Py_AtExit, first", "left in C's buffer", "atexit of C"]
        self.assertEqual(fast.output.splitlines(), [*lines, "destructor"])


class SkippedTest(ExitTest):
    def test_del_and_generators(self):
        code = """
            class Last:
                def __del__(self): print("del")
            def generator():
                try:
                    yield
                finally:
                    print("finally")
            last, running = Last(), generator()
            next(running)
            """
        self.assertEqual(run(code).output.split(), ["del", "finally"])
        self.assertEqual(run(code, *FAST).output, "")

    def test_diagnostics_of_the_end_get_one(self):
        code = "print('end')"
        for options, changes in (((), {"PYTHONMALLOCSTATS": "1"}), (("-v",), {})):
            with self.subTest(options=options, changes=changes):
                fast = run(code, *options, *FAST, **changes)
                self.assertTrue(fast.was_torn_down)

    def test_prompt(self):
        code = "import os; os.environ['PYTHONINSPECT'] = '1'\nprint('end')"
        self.assertTrue(run(code, *FAST).was_torn_down)


if __name__ == "__main__":
    unittest.main()
