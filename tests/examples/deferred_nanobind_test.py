"""The example in nanobind: a cache that forgets."""

from __future__ import annotations

import unittest

from support import DroppingTests, ExampleCase, MainInterpreterTests, PackageTests

USE = """
import deferred_nanobind

SLOW = "slow"
cache = deferred_nanobind.Cache(seconds=0.01)
lasting = deferred_nanobind.Cache(seconds=0.1)

def hand_over(count, into=None):
    # A cache has nothing that takes long, so what is slow comes to its end later.
    for _ in range(count):
        payload = Payload()
        (lasting if into == SLOW else cache).put(str(payload.number), payload)

def finish():
    wait_until(lambda: len(cache) + len(lasting) == 0)

def in_child():
    global cache, lasting
    cache = deferred_nanobind.Cache(seconds=0.01)
    lasting = deferred_nanobind.Cache(seconds=0.1)
"""


class DeferredNanobindTest(DroppingTests, MainInterpreterTests, PackageTests, ExampleCase):
    MODULE = "deferred_nanobind"
    FOLDER = "examples/deferred_nanobind"
    USE = USE

    def test_values(self):
        self.check(
            """
            cache = deferred_nanobind.Cache(seconds=1000)
            value = Payload()
            assert cache.get("key") is None and len(cache) == 0
            cache.put("key", value)
            assert cache.get("key") is value and len(cache) == 1
            cache.put("key", "another")
            cache.put("\\u00fc\\0", None)
            assert cache.get("key") == "another" and len(cache) == 2
            assert cache.get("") is None
            assert not destroyed
            del value
            destroyed_once(1)
            """
        )

    def test_values_expire_in_order(self):
        self.check(
            """
            cache = deferred_nanobind.Cache(seconds=0.5)
            cache.put("again", 0)
            cache.put("first", 1)
            time.sleep(0.3)
            cache.put("again", 2)
            wait_until(lambda: cache.get("first") is None)
            # Later than its first value would have.
            assert cache.get("again") == 2
            wait_until(lambda: len(cache) == 0)
            assert cache.get("again") is None
            """
        )

    def test_no_lifetime(self):
        self.check(
            """
            cache = deferred_nanobind.Cache(seconds=0)
            for _ in range(1000):
                cache.put("key", Payload())
            wait_until(lambda: len(destroyed) == 1000)
            destroyed_once(1000)
            """
        )

    def test_what_is_no_lifetime(self):
        shown = self.check(
            """
            for seconds in (-1, float("nan"), float("inf"), 1e9, "1"):
                try:
                    deferred_nanobind.Cache(seconds)
                    raise AssertionError(seconds)
                except (TypeError, ValueError) as error:
                    print(type(error).__name__)
            """
        )
        self.assertEqual(shown.split(), 4 * ["ValueError"] + ["TypeError"])

    def test_destructors_that_use_the_cache(self):
        self.check(
            """
            cache = deferred_nanobind.Cache(seconds=0.01)
            class Entry(Payload):
                def __del__(self):
                    super().__del__()
                    cache.get("key")
                    cache.put(f"left by {self.number}", Payload())
                    len(cache)
            for turn in range(1000):
                # Some go here, attached, when they are replaced, others when they expire.
                cache.put(str(turn % 10), Entry())
            wait_until(lambda: len(destroyed) == 2000)
            destroyed_once(2000)
            """
        )

    def test_everybody_at_once(self):
        self.check(
            """
            cache = deferred_nanobind.Cache(seconds=0.001)
            def use(name):
                for turn in range(3000):
                    cache.put(f"{turn % 7}", Payload())
                    found = cache.get(f"{(turn + name) % 7}")
                    assert found is None or isinstance(found, Payload)
            threads = [threading.Thread(target=use, args=(name,)) for name in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            wait_until(lambda: len(destroyed) == 24000)
            quiet()
            destroyed_once(24000)
            """
        )

    def test_cache_dropped_with_values(self):
        self.check(
            """
            for _ in range(20):
                cache = deferred_nanobind.Cache(seconds=1000)
                hand_over(50)
                del cache
                cache = None
            destroyed_once(1000)
            """
        )

    def test_collector_sees_what_is_kept(self):
        self.check(
            """
            import gc
            for _ in range(20):
                cache = deferred_nanobind.Cache(seconds=1000)
                payload = Payload()
                payload.cache = cache
                cache.put("key", payload)
                cache.put("itself", cache)
            del cache, payload
            gc.collect()
            destroyed_once(20)
            """
        )

    def test_collector_while_values_expire(self):
        self.check(
            """
            import gc
            cache = deferred_nanobind.Cache(seconds=0.002)
            for turn in range(200):
                for name in range(20):
                    payload = Payload()
                    payload.all = [payload, cache]
                    cache.put(str(name), payload)
                gc.collect()
            del payload
            wait_until(lambda: len(destroyed) == 4000, pause=gc.collect)
            quiet()
            destroyed_once(4000)
            """
        )

    def test_caches_as_values(self):
        # nanobind tells on stderr of its objects that are left when the interpreter has ended.
        for end in "", "time.sleep(0.2)":
            with self.subTest(end):
                self.check(
                    f"""
                    for turn in range(20):
                        inner = deferred_nanobind.Cache(seconds=1000)
                        inner.put("key", Payload())
                        lasting.put(str(turn), inner)
                    del inner
                    {end}
                    """
                )

    def test_child_of_a_fork_is_told(self):
        self.check(
            """
            hand_over(10)
            if os.fork() == 0:
                for use in (lambda: cache.put("", 1), lambda: cache.get(""), lambda: len(cache)):
                    try:
                        use()
                        raise AssertionError
                    except RuntimeError as error:
                        assert "forked" in str(error)
                in_child()
                before = len(destroyed)
                hand_over(1)
                wait_until(lambda: len(destroyed) > before)
                sys.exit()
            assert os.wait()[1] == 0
            """,
            leaves=True,
        )


if __name__ == "__main__":
    unittest.main()
