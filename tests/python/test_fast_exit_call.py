"""tenure.fast_exit(): where it may be called, from where it refuses, and what it does in odd places."""

from __future__ import annotations

import inspect
import unittest

import tenure

from exit_support import Ending, ExitTest, run

IMPORTS = "import atexit, gc, os, signal, sys, threading, time, weakref\nimport tenure\n"


class CallTest(ExitTest):
    def ends(self, code: str, status: int, output: str = "", errors: str = "") -> Ending:
        """The program must be left fast, with this status and output."""
        ending = run(IMPORTS + code)
        self.assertEqual((ending.status, ending.output, ending.errors), (status, output, errors))
        self.assertFalse(ending.was_torn_down)
        return ending

    def refuses(self, code: str, why: str, status: int = 0) -> None:
        """The program prints what is raised, and goes on to its usual end."""
        ending = run(IMPORTS + code)
        self.assertIn(why, ending.output + ending.errors)
        self.assertEqual(ending.status, status)
        self.assertTrue(ending.was_torn_down)


class ArgumentsTest(CallTest):
    def test_codes(self):
        for code, status, errors in (
            ("", 0, ""),
            ("None", 0, ""),
            ("7", 7, ""),
            ("code=8", 8, ""),
            ("True", 1, ""),
            ("259", 3, ""),
            ("-1", 255, ""),
            ("2**70", 255, ""),
            ("'a message, é'", 1, "a message, é\n"),
            ("[1, 2]", 1, "[1, 2]\n"),
        ):
            with self.subTest(code):
                self.ends(f"tenure.fast_exit({code})", status, errors=errors)

    def test_wrong_ones(self):
        for arguments in ("1, 2", "status=1"):
            self.refuses(
                f"try:\n    tenure.fast_exit({arguments})\nexcept TypeError as e: print(e)",
                "fast_exit()",
            )

    def test_signature(self):
        self.assertEqual(str(inspect.signature(tenure.fast_exit)), "(code=0)")


class PlacesTest(CallTest):
    def test_everything_before_the_end_happens(self):
        ending = self.ends(
            "atexit.register(print, 'atexit')\n"
            "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
            "f = open('f', 'w'); f.write('abc')\n"
            "tenure.fast_exit(3)\n"
            "print('not reached')",
            3,
            "thread\natexit\n",
        )
        self.assertEqual(ending.files, {"f": b"abc"})

    def test_nothing_is_unwound(self):
        ending = self.ends(
            "try:\n"
            "    with open('f', 'w') as f:\n"
            "        f.write('abc'); tenure.fast_exit(3)\n"
            "except BaseException: print('caught')\n"
            "finally: print('finally')",
            3,
        )
        self.assertEqual(ending.files, {"f": b"abc"})

    def test_anywhere_in_the_main_thread(self):
        for code in (
            "signal.signal(signal.SIGTERM, lambda *a: tenure.fast_exit(3))\n"
            "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
            "def f(n): f(n - 1) if n else tenure.fast_exit(3)\n"
            "sys.setrecursionlimit(5000); f(2000)",
            "sys.settrace(lambda *a: None)\ndef f(): tenure.fast_exit(3)\nf()",
            "sys.setprofile(lambda *a: None)\ndef f(): tenure.fast_exit(3)\nf()",
            "try: 1 / 0\nexcept ZeroDivisionError: tenure.fast_exit(3)",
            "exec('tenure.fast_exit(3)')",
            "list(map(tenure.fast_exit, [3]))",
            "class A:\n    def __del__(self): tenure.fast_exit(3)\nA()",
            "import asyncio\nasync def main(): tenure.fast_exit(3)\nasyncio.run(main())",
            "class A: pass\na = A(); r = weakref.ref(a, lambda _: tenure.fast_exit(3)); del a",
            "gc.disable(); tenure.fast_exit(3)",
            "gc.set_debug(gc.DEBUG_SAVEALL); tenure.fast_exit(3)",
        ):
            with self.subTest(code):
                self.ends(code, 3)

    def test_garbage_collection_on_the_way(self):
        self.ends(
            "atexit.register(gc.collect)\n"
            "class Out:\n"
            "    def write(self, text): sys.__stdout__.write(text)\n"
            "    def flush(self): gc.collect()\n"
            "sys.stdout = Out(); print('out')\n"
            "tenure.fast_exit(3)",
            3,
            "out\n",
        )

    def test_within_a_garbage_collection(self):
        # The collector is busy, so the interpreter goes its own way.
        for code in (
            "class A:\n    def __del__(self): tenure.fast_exit(3)\na = A(); a.a = a; del a\n",
            "gc.callbacks.append(lambda *a: tenure.fast_exit(3))\n",
        ):
            with self.subTest(code):
                ending = run(IMPORTS + code + "gc.collect()\nprint('not reached')")
                self.assertEqual((ending.status, ending.output), (3, ""))

    def test_children(self):
        self.ends(
            "pid = os.fork()\n"
            "if not pid: print('child'); tenure.fast_exit(3)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
            "tenure.fast_exit(4)",
            4,
            "child\n3\n",
        )

    def test_deferred_decrefs_and_released_graphs(self):
        # A file that only a graph on its way to be taken apart holds; the graph itself stays.
        ending = self.ends(
            "f = open('f', 'w'); f.write('abc')\n"
            "graph = [[] for _ in range(100_000)]; graph[50_000] = f\n"
            "del f; tenure.release(graph); del graph\n"
            "tenure.fast_exit()",
            0,
        )
        self.assertEqual(ending.files, {"f": b"abc"})


class RefusalsTest(CallTest):
    def test_other_threads(self):
        self.refuses(
            "def f():\n"
            "    try: tenure.fast_exit(3)\n"
            "    except RuntimeError as e: print(e)\n"
            "t = threading.Thread(target=f); t.start(); t.join()",
            "fast_exit() works in the main thread only; tell that one to call it\n",
        )

    def test_thread_that_forked(self):
        ending = run(
            IMPORTS + "def f():\n"
            "    pid = os.fork()\n"
            "    if pid: os.waitpid(pid, 0); return\n"
            "    try: tenure.fast_exit(3)\n"
            "    except RuntimeError as e: os.write(1, str(e).encode()); os._exit(0)\n"
            "t = threading.Thread(target=f); t.start(); t.join()",
            "-Wignore",
        )
        self.assertIn("works in the main thread only", ending.output)

    def test_other_interpreters(self):
        self.refuses(
            "try: import _interpreters as i\n"
            "except ImportError: import _xxsubinterpreters as i\n"
            "one = i.create()\n"
            "print(i.run_string(one, 'import tenure; tenure.fast_exit(3)')); i.destroy(one)",
            "fast_exit() works in the main interpreter only; end this one instead",
        )

    def test_processes_that_end(self):
        why = "fast_exit() was called while the process ends already"
        self.refuses("atexit.register(tenure.fast_exit, 5); sys.exit(4)", why, 4)
        ending = run(IMPORTS + "atexit.register(tenure.fast_exit, 5); tenure.fast_exit(4)")
        self.assertEqual((ending.status, ending.was_torn_down), (4, False))
        self.assertIn(why, ending.errors)
        ending = run(
            IMPORTS + "class A:\n    def __del__(self, exit=tenure.fast_exit): exit(3)\na = A()"
        )
        self.assertEqual(ending.status, 0)
        self.assertIn(why, ending.errors)


if __name__ == "__main__":
    unittest.main()
