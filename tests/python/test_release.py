"""tenure.release(): big graphs that go a little at a time, once nobody uses them."""

from __future__ import annotations

import inspect
import unittest

import tenure

from helpers import ProgramTest


class ReleaseTest(ProgramTest):
    PRELUDE = """
import gc, os, sys, threading, time
import tenure

gone = []  # one for each Node; threads without a GIL append to it at the same time

class Node:
    def __init__(self, *parts):
        self.parts = list(parts)
    def __del__(self):
        gone.append(None)

def wait_for(count):
    end = time.monotonic() + 120
    while len(gone) < count:
        assert time.monotonic() < end, (len(gone), tenure.deferred.stats())
        time.sleep(0.01)
    assert len(gone) == count, len(gone)
    while tenure.deferred.stats()["dismantling"]:
        assert time.monotonic() < end, tenure.deferred.stats()
        time.sleep(0.01)
"""

    GRAPHS = (
        "[Node() for _ in range(count)]",
        "tuple(Node() for _ in range(count))",
        "{i: Node() for i in range(count)}",
        "{Node() for _ in range(count)}",
        "[[{'a': (Node(),)}] for _ in range(count)]",
        "Node(*(Node() for _ in range(count - 1)))",
        "Node(*(Node(*(Node() for _ in range(9))) for _ in range(count // 10 - 1)), *(Node() for _ in range(9)))",
    )

    def test_last_user_pays_nothing(self):
        for graph in self.GRAPHS:
            with self.subTest(graph):
                self.check(
                    f"""
                    count = 200_000
                    graph = {graph}
                    tenure.release(graph); del graph
                    # Without it, all are gone here.
                    assert len(gone) < count
                    wait_for(count)
                    assert tenure.deferred.stats()["drains"] > 1
                    """
                )

    def test_whoever_drops_it(self):
        self.check(
            """
            count = 100_000
            holder = {"graph": [Node() for _ in range(count)]}
            tenure.release(holder["graph"])
            time.sleep(0.3)
            assert not gone and len(holder["graph"]) == count
            def use(graph):
                assert len(graph) == count
            thread = threading.Thread(target=use, args=(holder.pop("graph"),))
            thread.start(); thread.join(); del thread
            wait_for(count)
            tenure.release([Node() for _ in range(count)])
            wait_for(2 * count)
            """
        )

    def test_parts_that_others_use(self):
        self.check(
            """
            kept = Node(Node())
            graph = [kept, [kept], Node()]
            tenure.release(graph); del graph
            wait_for(1)
            assert sys.getrefcount(kept) == sys.getrefcount(Node()) + 1 and len(kept.parts) == 1
            del kept
            wait_for(3 + 1)  # one for the reference that was counted
            """
        )

    def test_weak_references_and_resurrection(self):
        self.check(
            """
            import weakref
            told = []
            graph = [Node() for _ in range(100)]
            one = weakref.ref(graph[50], told.append)
            tenure.release(graph); del graph
            wait_for(100)
            assert one() is None and told == [one]
            """
        )

    def test_flush_does_it_now(self):
        self.check(
            """
            graph = [[Node()] for _ in range(1000)]
            tenure.release(graph)
            tenure.deferred.flush()
            assert not gone
            del graph
            tenure.deferred.flush()
            assert len(gone) == 1000
            """
        )

    def test_anything_may_be_released(self):
        self.check(
            """
            for one in (None, 5, "text", object(), int, len, sys, [], (), {}, lambda: 0):
                assert tenure.release(one) is None
            tenure.deferred.flush()
            sys.stdout.write("alive")
            """
        )

    def test_at_exit(self):
        for ending, printed in (("", "10000"), ("tenure.fast_exit()", "")):
            output = self.check(
                f"""
                class Count:
                    def __del__(self, print=print, len=len, gone=gone): print(len(gone))
                count = Count()
                graph = [Node() for _ in range(10_000)]
                tenure.release(graph); del graph
                import atexit
                {ending}
                """
            )
            self.assertEqual(output.strip(), printed)

    def test_children(self):
        self.check(
            """
            graph = [Node() for _ in range(1000)]
            tenure.release(graph)
            pid = os.fork()
            if not pid:
                del graph
                wait_for(1000)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            del graph
            wait_for(1000)
            """,
            "-Wignore",
        )

    def test_signature(self):
        self.assertEqual(str(inspect.signature(tenure.release)), "(obj, /)")


if __name__ == "__main__":
    unittest.main()
