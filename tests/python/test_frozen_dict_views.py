"""Views and iterators of FrozenDict against those of a dict with the same items."""

from __future__ import annotations

import collections.abc
import copy
import gc
import itertools
import operator
import pickle
import sys
import threading
import unittest
import weakref
from typing import Any

from tenure import FrozenDict

SIZES = (0, 1, 8, 9, 300)


def both(size: int) -> tuple[dict[Any, Any], FrozenDict]:
    items = {(f"key {i}" if i % 3 else i): i * 2 for i in range(size)}
    return items, FrozenDict(items)


class Views(unittest.TestCase):
    def test_what_they_give(self) -> None:
        for size in SIZES:
            items, frozen = both(size)
            for name in "keys", "values", "items":
                wanted, got = getattr(items, name)(), getattr(frozen, name)()
                self.assertEqual(list(got), list(wanted))
                self.assertEqual(list(reversed(got)), list(reversed(wanted)))
                self.assertEqual(len(got), size)
                self.assertIs(got.mapping, frozen)
                self.assertEqual(repr(got), repr(wanted).replace("dict_", "FrozenDict_"))
            self.assertEqual(list(frozen), list(items))
            self.assertEqual(list(reversed(frozen)), list(reversed(items)))

    def test_membership(self) -> None:
        for size in SIZES:
            items, frozen = both(size)
            for key, value in itertools.product((0, "key 1", "key 2", "x", 3.0), (0, 2, 4.0, "y", None)):
                self.assertEqual(key in frozen.keys(), key in items.keys())
                self.assertEqual(value in frozen.values(), value in items.values())
                self.assertEqual((key, value) in frozen.items(), (key, value) in items.items())
            for other in 1, (), ("key 1",), ["key 1", 2], ("key 1", 2, 3):
                self.assertNotIn(other, frozen.items())
            with self.assertRaises(TypeError):
                [] in frozen.keys()
            with self.assertRaises(TypeError):
                ([], 1) in frozen.items()

    def test_set_operations(self) -> None:
        items = {"a": 1, "b": 2, "c": 3}
        frozen = FrozenDict(items)
        others = [set(), {"a"}, {"a", "z"}, frozenset("abc"), {("a", 1)}, {("a", 2), ("b", 2)}, {"a": 1, "d": 4}.keys(),
                  {"a": 1, "b": 3}.items(), FrozenDict(a=1, z=2).keys(), FrozenDict(a=1, b=2, c=3).items()]  # fmt: skip
        operators = [operator.and_, operator.or_, operator.sub, operator.xor, operator.eq, operator.ne, operator.lt, operator.le,
                     operator.gt, operator.ge]  # fmt: skip
        for name in "keys", "items":
            wanted, got = getattr(items, name)(), getattr(frozen, name)()
            for other, operation in itertools.product(others, operators):
                with self.subTest(name=name, other=other, operation=operation):
                    plain = set(other)
                    result = operation(got, other)
                    self.assertEqual(result, operation(set(wanted), plain))
                    self.assertIn(type(result), (set, bool))
                    self.assertEqual(operation(other, got), operation(plain, set(wanted)))
            for other in others:
                self.assertEqual(got.isdisjoint(other), wanted.isdisjoint(other))
            self.assertEqual(got & ["a", ("b", 2)], wanted & ["a", ("b", 2)])
            self.assertEqual(got | ["z"], wanted | ["z"])
            self.assertEqual(got - iter(["a"]), wanted - iter(["a"]))
            self.assertFalse(got.isdisjoint(got))
            self.assertFalse(got == ["a", "b", "c"] or got == 1)
            self.assertTrue(got == wanted and wanted == got)
            with self.assertRaises(TypeError):
                got | 1
            with self.assertRaises(TypeError):
                got < [1]
            with self.assertRaises(TypeError):
                hash(got)
        self.assertEqual(FrozenDict(a=[]).items() & {("a", 1)}, set())
        with self.assertRaises(TypeError):
            FrozenDict(a=[]).items() | {("a", 1)}

    def test_values_are_no_set(self) -> None:
        values = FrozenDict(a=1).values()
        self.assertFalse(hasattr(values, "isdisjoint"))
        with self.assertRaises(TypeError):
            values & {1}
        self.assertEqual(values, values)
        self.assertNotEqual(values, FrozenDict(a=1).values())
        self.assertIsInstance(hash(values), int)

    def test_types(self) -> None:
        frozen = FrozenDict(a=1)
        for view, abc in (
            (frozen.keys(), collections.abc.KeysView),
            (frozen.values(), collections.abc.ValuesView),
            (frozen.items(), collections.abc.ItemsView),
        ):
            self.assertIsInstance(view, abc)
            self.assertIsInstance(iter(view), collections.abc.Iterator)
            for thing in view, iter(view), reversed(view):
                with self.assertRaises(TypeError):
                    type(thing)()
                with self.assertRaises(TypeError):
                    type("Sub", (type(thing),), {})
                with self.assertRaises((AttributeError, TypeError)):
                    type(thing).x = 1


class Iterators(unittest.TestCase):
    def test_length_hint_and_end(self) -> None:
        frozen = FrozenDict(a=1, b=2)
        for iterator in iter(frozen), iter(frozen.values()), iter(frozen.items()), reversed(frozen), reversed(frozen.items()):
            self.assertIs(iter(iterator), iterator)
            self.assertEqual(operator.length_hint(iterator), 2)
            next(iterator)
            self.assertEqual(operator.length_hint(iterator), 1)
            next(iterator)
            for _ in range(2):
                self.assertEqual(operator.length_hint(iterator), 0)
                with self.assertRaises(StopIteration):
                    next(iterator)

    def test_items_that_are_kept_do_not_change(self) -> None:
        frozen = FrozenDict({i: (i, str(i)) for i in range(50)})
        kept = []
        for i, item in enumerate(frozen.items()):
            if i % 3 == 0:
                kept.append(item)
            hash(item)
            item = None
        self.assertEqual(kept, [(i, (i, str(i))) for i in range(0, 50, 3)])
        # A tuple that is given again is another one to whoever asks for its hash.
        self.assertEqual([hash(item) for item in frozen.items()], [hash(item) for item in dict(frozen).items()])

    def test_items_that_are_given_again_are_tracked(self) -> None:
        around: list[Any] = []
        iterator = iter(FrozenDict(a=1, b=around).items())
        first = next(iterator)
        del first
        gc.collect()
        pair = next(iterator)
        self.assertTrue(gc.is_tracked(pair))
        self.assertIs(pair[1], around)

    def test_pickle_and_copy(self) -> None:
        frozen = FrozenDict(a=1, b=2, c=3)
        for make in (
            lambda: iter(frozen),
            lambda: iter(frozen.values()),
            lambda: iter(frozen.items()),
            lambda: reversed(frozen),
            lambda: reversed(frozen.values()),
            lambda: reversed(frozen.items()),
        ):
            iterator, whole = make(), list(make())
            next(iterator)
            self.assertEqual(list(pickle.loads(pickle.dumps(iterator))), whole[1:])
            self.assertEqual(list(copy.copy(iterator)), whole[1:])
            self.assertEqual(list(iterator), whole[1:])
            self.assertEqual(list(copy.copy(iterator)), [])

    def test_they_keep_the_dict(self) -> None:
        class Value:
            pass

        value = Value()
        died = weakref.ref(value)
        frozen = FrozenDict(a=value)
        del value
        things = [iter(frozen), frozen.items(), iter(frozen.items()), reversed(frozen.values())]
        del frozen
        while things:
            gc.collect()
            self.assertIsNotNone(died())
            things.pop()
        self.assertIsNone(died())

    def test_cycle_through_an_iterator(self) -> None:
        class Value:
            pass

        for make in iter, lambda frozen: iter(frozen.items()), FrozenDict.values, lambda frozen: reversed(frozen.keys()):
            value = Value()
            died = weakref.ref(value)
            value.iterator = make(FrozenDict(a=value, b=1))
            del value
            gc.collect()
            self.assertIsNone(died())

    def test_threads_that_share_one(self) -> None:
        frozen = FrozenDict({i: str(i) for i in range(20_000)})
        for shared in iter(frozen), iter(frozen.items()):
            seen: list[list[Any]] = [[] for _ in range(4)]
            threads = [threading.Thread(target=lambda out: out.extend(shared), args=(out,)) for out in seen]
            before = sys.getswitchinterval()
            sys.setswitchinterval(1e-5)
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            finally:
                sys.setswitchinterval(before)
            known = set(frozen) | set(frozen.items())
            self.assertLessEqual(set(itertools.chain(*seen)), known)
            self.assertGreaterEqual(len(set(itertools.chain(*seen))), 20_000)


if __name__ == "__main__":
    unittest.main()
