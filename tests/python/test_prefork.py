"""tenure.prefork(): what becomes immortal, what does not, what children copy, and that all goes on as before."""

from __future__ import annotations

import unittest
from pathlib import Path

import tenure

from helpers import PACKAGE_FOLDER, ProgramTest

PRELUDE = """
import gc
import os
import sys
import threading
import types
import weakref

import tenure

DEBUG = hasattr(sys, "gettotalrefcount")

def is_immortal(obj):
    return sys.getrefcount(obj) >= 1 << 31
"""


class PreforkTest(ProgramTest):
    PRELUDE = PRELUDE


class ReportTest(PreforkTest):
    def test_names(self):
        self.assertIn("RuntimeError", tenure.prefork.__doc__)
        with self.assertRaises(TypeError):
            tenure.prefork(1)
        with self.assertRaises(TypeError):
            tenure.prefork(unknown=1)

    def test_says_what_was_done(self):
        self.check(
            """
            class Finalized:
                def __del__(self): pass
            keep = [Finalized(), open(os.devnull), (x for x in ())]
            cycle = []; cycle.append(cycle); del cycle
            texts = ["é" * i for i in range(2, 200)]
            report = tenure.prefork()
            assert report.objects > 1000 and report.bytes > 100_000, repr(report)
            assert report.collected >= 1 and report.hashes > 100 and report.utf8 >= 190, repr(report)
            assert report.skipped["finalizers"] >= 2 and report.skipped["running"] >= 1, repr(report)
            assert report.milliseconds > 0 and report.frozen >= 3, repr(report)
            assert report.private_before % 4096 == 0 < report.private_after, repr(report)
            assert repr(report).startswith("PreforkReport(objects="), repr(report)
            first = str(report).splitlines()[0]
            assert first.startswith(f"{report.objects:,} objects of ") and " made immortal in " in first, first
            keep[1].close()
            """
        )

    def test_options(self):
        self.check(
            """
            texts = ["é" * i for i in range(2, 200)]
            report = tenure.prefork(utf8=False, fresh_memory=False)
            assert report.utf8 == 0 and report.left_behind == 0, repr(report)
            assert tenure.prefork().left_behind > 0
            """
        )

    def test_other_allocators_are_left_alone(self):
        self.check("assert tenure.prefork().left_behind >= 0", PYTHONMALLOC="malloc")
        self.check("assert tenure.prefork().left_behind >= 0", PYTHONMALLOC="debug")

    def test_again(self):
        self.check(
            """
            first = tenure.prefork()
            new = [[10**20 + i] for i in range(1000)]
            second = tenure.prefork()
            assert 2000 <= second.objects < 2000 + first.objects / 2, (first, second)
            assert is_immortal(new[7]) and is_immortal(new[7][0])
            third = tenure.prefork()
            assert third.objects < 500 + 20_000 * DEBUG, third
            """
        )

    def test_refused_in_another_interpreter(self):
        self.check(
            """
            import _interpreters
            other = _interpreters.create("legacy")
            error = _interpreters.exec(other, '''if True:
                import tenure
                try:
                    tenure.prefork()
                except RuntimeError as error:
                    assert "main interpreter" in str(error)
                else:
                    raise AssertionError
            ''')
            assert error is None, error.formatted
            _interpreters.destroy(other)
            tenure.prefork()
            """
        )


class LivingTest(PreforkTest):
    def test_what_is_alive_is_immortal_and_what_must_end_is_not(self):
        self.check(
            """
            import socket
            class Node:
                def method(self): return 10**20
            class Finalized:
                def __del__(self): ended.append(1)
            ended = []
            node, finalized = Node(), Finalized()
            generator = (node for i in range(3)); next(generator)
            file, sock = open(os.devnull), socket.socket()
            view = memoryview(bytearray(b"abc"))
            frame = sys._getframe()
            try: 1 / 0
            except ZeroDivisionError as error: traceback = error.__traceback__
            lock = threading.Lock(); lock.acquire()
            tenure.prefork()
            for obj in (node, Node, Node.method, Node.method.__code__, lock, ended, gc, os.path):
                assert is_immortal(obj), obj
            for obj in (finalized, generator, file, sock, view, frame, traceback):
                assert not is_immortal(obj), obj
            lock.release()
            assert next(generator) is node
            array = view.obj; view.release(); array.extend(b"de")
            del finalized
            assert ended == [1]
            file.close(); sock.close()
            """
        )

    def test_files_are_closed_as_before(self):
        self.check(
            """
            import tempfile, warnings
            warnings.simplefilter("ignore")
            folder = tempfile.TemporaryDirectory()
            path = os.path.join(folder.name, "file")
            file = open(path, "w"); file.write("written")
            tenure.prefork()
            del file
            with open(path) as again: assert again.read() == "written"
            folder.cleanup()
            assert not os.path.exists(folder.name)
            """
        )

    def test_tuples_that_are_being_filled(self):
        self.check(
            """
            answers = []
            # One more than a tuple of unknown length has room for, at several moments.
            def fill(count, filled, go_on):
                def items():
                    for i in range(30):
                        if i == count:
                            filled.set(); go_on.wait()
                        yield [i]
                answers.append(tuple(items()))
            for count in (0, 1, 9, 10, 11, 29):
                filled, go_on = threading.Event(), threading.Event()
                thread = threading.Thread(target=fill, args=(count, filled, go_on)); thread.start()
                filled.wait()
                tenure.prefork()
                go_on.set(); thread.join()
            assert answers == [tuple([i] for i in range(30))] * 6, answers
            """
        )

    def test_threads_go_on_and_end(self):
        self.check(
            """
            import queue, time
            class Value: pass
            local, values, stop = threading.local(), weakref.WeakSet(), threading.Event()
            def work():
                local.value = Value(); values.add(local.value)
                while not stop.is_set():
                    rows = [{"a": i, "b": [i]} for i in range(100)]
                    sum(row["b"][0] for row in rows)
                    time.sleep(0)
            threads = [threading.Thread(target=work) for i in range(4)]
            for thread in threads: thread.start()
            for i in range(5): tenure.prefork()
            stop.set()
            for thread in threads: thread.join(60)
            assert not any(thread.is_alive() for thread in threads)
            late = threading.Thread(target=work); late.start(); late.join()
            del late; gc.collect()
            """
        )

    def test_new_objects_are_collected_as_before(self):
        self.check(
            """
            class Node: pass
            holder = Node()
            tenure.prefork()
            for i in range(20):
                node = Node(); node.itself = node; node.holder = holder; holder.last = weakref.ref(node)
                del node
                gc.collect()
                assert holder.last() is None
            holder.kept = kept = Node(); kept.holder = holder; kept.itself = kept
            watch = weakref.ref(kept); del kept
            gc.collect(); gc.collect()
            assert watch() is holder.kept
            del holder.kept
            gc.collect()
            assert watch() is None
            """
        )

    def test_everything_still_works(self):
        self.check(
            """
            import asyncio, collections, contextlib, copy, dataclasses, decimal, enum, functools, json, logging, pickle, re
            class Before: x = 1
            tenure.prefork()
            @dataclasses.dataclass
            class Point:
                x: int
                y: int = 2
            class Color(enum.Enum):
                RED = "red"; BLUE = "blue"
            class After(Before): y = 2
            Before.x = 3; Before.z = 4
            assert After().x == 3 and After.z == 4
            async def double(x):
                await asyncio.sleep(0)
                return 2 * x
            async def main():
                return await asyncio.gather(*(double(i) for i in range(10)))
            for i in range(3):
                assert asyncio.run(main()) == list(range(0, 20, 2))
            assert pickle.loads(pickle.dumps(Point(1))) == copy.deepcopy(Point(1)) == Point(1)
            assert json.loads(json.dumps({"k": [1, 2.5, None]})) == {"k": [1, 2.5, None]}
            assert re.sub(r"(\\w+) (\\w+)", r"\\2 \\1", "hello world") == "world hello"
            assert decimal.Decimal("1.1") + 1 == decimal.Decimal("2.1") and Color("red") is Color.RED
            @functools.lru_cache(maxsize=10)
            def square(x): return x * x
            assert [square(i % 30) for i in range(300)] == [(i % 30) ** 2 for i in range(300)]
            with contextlib.suppress(ZeroDivisionError): 1 / 0
            import textwrap, fractions, statistics, email.message, xml.etree.ElementTree, unittest, http.client
            assert str(fractions.Fraction(1, 3)) == "1/3"
            namespace = {}
            for i in range(200):
                exec(f"def f(x, y={i}): return [x + y + n for n in range(3)]", namespace)
                assert namespace["f"](1) == [1 + i + n for n in range(3)]
            logging.getLogger("x").addHandler(logging.NullHandler())
            sys.modules.pop("textwrap"); import textwrap
            vars(Before()).update(a=1); {}.update(vars(Point(1)))
            sys.intern("".join(["né", "w"])); globals().update(new_name=1); del new_name
            """
        )

    def test_images_stay_as_they_are(self):
        self.check(
            """
            import subprocess, tempfile
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "i.tenure")
                subprocess.run([sys.executable, "-m", "tenure", "freeze", "email", "-o", path], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                image = tenure.load(path)
                import email.message
                tenure.prefork()
                import email.parser, email.policy
                assert type(email.parser.__loader__).__name__ == "ImageLoader"
                assert image.verify()["objects"] > 100
            """
        )


class ForkTest(PreforkTest):
    def test_children(self):
        self.check(
            """
            import json
            data = {str(i): [i * 10**18, {"text": f"text {i}"}] for i in range(1000)}
            tenure.prefork()
            for i in range(3):
                child = os.fork()
                if child == 0:
                    gc.enable()
                    made = json.loads(json.dumps(data)); made == data or os._exit(1)
                    cycle = [data]; cycle.append(cycle); del cycle
                    data["new"] = made; gc.collect()
                    sys.exit(3)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
            import multiprocessing
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(len, [[1], [1, 2]]) == [1, 2]
            """
        )

    def test_children_copy_less_than_after_freezing_the_collector(self):
        self.check(
            """
            import json
            def private():
                with open("/proc/self/smaps_rollup") as lines:
                    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
            def work(data):
                for row in data.values():
                    text = json.dumps([row, {part: key for key, part in row[1].items()}])
                    keep = [(row, part) for part in row]
            def copied(data):
                read, write = os.pipe()
                if os.fork() == 0:
                    before = private()
                    work(data)
                    os.write(write, str(private() - before).encode()); os._exit(0)
                os.wait()
                return int(os.read(read, 100))
            data = {str(i): [i * 10**18, {"text": f"text {i}", "more": f"more {i}"}] for i in range(30_000)}
            work(data)
            gc.collect(); gc.freeze()
            frozen = copied(data)
            gc.unfreeze()
            tenure.prefork()
            prepared = copied(data)
            # Debug builds leave more as it is.
            assert prepared < frozen / (1 if DEBUG else 2), (prepared, frozen)
            """
        )


class EndTest(PreforkTest):
    ALL = "import asyncio, decimal, email.message, json, logging, unittest; tenure.prefork()\n"

    def test_exit(self):
        for options in ((), ("-X", "dev"), ("-O",), ("-X", "tracemalloc")):
            self.check(self.ALL, *options)

    def test_exit_with_threads_at_work(self):
        self.check(
            self.ALL
            + """
import atexit
atexit.register(print, "at exit")
def work():
    while True:
        [{"a": i} for i in range(1000)]
threading.Thread(target=work, daemon=True).start()
class Late:
    def __del__(self): pass
late = Late(); late.itself = late
tenure.prefork()
"""
        )

    def test_exit_with_deferred_references(self):
        folder = str(Path.cwd() / "examples" / "deferred_c")
        out = self.check(
            """
            import atexit, deferred_c
            class Payload(bytearray):
                def __del__(self): print("destroyed")
            deferred_c.submit(Payload()); deferred_c.collect(); tenure.deferred.flush()
            tenure.prefork()
            for i in range(3): deferred_c.submit(Payload())
            deferred_c.collect()
            tenure.deferred.flush()
            """,
            PYTHONPATH=f"{PACKAGE_FOLDER}:{folder}",
        )
        self.assertEqual(out, "destroyed\n" * 4)


if __name__ == "__main__":
    unittest.main()
