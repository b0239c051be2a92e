"""What can be done with a FrozenDict as a whole: compared, hashed, united, converted, copied."""

from __future__ import annotations

import builtins
import collections
import copy
import json
import pickle
import sys
import types
import unittest
from typing import Any

import tenure
from tenure import FrozenDict

NAN = float("nan")


class Refusing:
    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        return hash("refused")


class Operations(unittest.TestCase):
    def test_repr(self) -> None:
        for items in {}, {"a": 1}, {"a": "it's", 1: [2, {}], (1,): None, "é": "€"}, {i: str(i) for i in range(100)}:
            self.assertEqual(repr(FrozenDict(items)), repr(items))
        inner: list[Any] = []
        frozen = FrozenDict(a=inner)
        inner.append(frozen)
        self.assertEqual(repr(frozen), "{'a': [{...}]}")
        self.assertEqual(repr(frozen.values()), "FrozenDict_values([[{'a': [...]}]])")

        class Bad:
            def __repr__(self) -> str:
                raise ZeroDivisionError

        for items in {"a": Bad()}, {Bad(): 1}:
            with self.assertRaises(ZeroDivisionError):
                repr(FrozenDict(items))

    def test_equality(self) -> None:
        frozen = FrozenDict(a=1, b=2)
        for other in {"b": 2, "a": 1}, FrozenDict(b=2.0, a=True), collections.OrderedDict(a=1, b=2), types.MappingProxyType({"a": 1, "b": 2}):
            self.assertTrue(frozen == other and other == frozen)
            self.assertFalse(frozen != other or other != frozen)
        for other in {}, {"a": 1}, {"a": 1, "b": 3}, {"a": 1, "c": 2}, FrozenDict(a=1, b=3), 1, None, [("a", 1), ("b", 2)], {"a", "b"}, "ab":
            self.assertFalse(frozen == other or other == frozen)
            self.assertTrue(frozen != other and other != frozen)
        self.assertEqual(FrozenDict(a=NAN), {"a": NAN})
        self.assertNotEqual(FrozenDict(a=NAN), {"a": float("nan")})
        for compare in "__lt__", "__le__", "__gt__", "__ge__":
            self.assertIs(getattr(frozen, compare)(frozen), NotImplemented)
        with self.assertRaises(ZeroDivisionError):
            FrozenDict(a=Refusing()) == {"a": Refusing()}

    def test_hash(self) -> None:
        for items in {}, {"a": 1}, {1: (2, 3), "x": None, 2.5: frozenset([1])}, {i: str(i) for i in range(100)}:
            self.assertEqual(hash(FrozenDict(items)), hash(frozenset(items.items())))
            self.assertEqual(hash(FrozenDict(items)), hash(FrozenDict(reversed(items.items()))))
        frozen = FrozenDict(a=1, b=[])
        for _ in range(2):
            with self.assertRaisesRegex(TypeError, "^unhashable type: 'list'$"):
                hash(frozen)
        self.assertEqual({FrozenDict(a=1): "found"}[FrozenDict(a=1.0)], "found")

    def test_union(self) -> None:
        frozen = FrozenDict(a=1, b=2)
        for other in {"b": 3, "c": 4}, FrozenDict(b=3, c=4), types.MappingProxyType({"b": 3, "c": 4}), collections.UserDict(b=3, c=4):
            union = frozen | other
            self.assertIs(type(union), FrozenDict)
            self.assertEqual(list(union.items()), [("a", 1), ("b", 3), ("c", 4)])
        union = {"b": 3, "c": 4} | frozen
        self.assertIs(type(union), dict)
        self.assertEqual(list(union.items()), [("b", 2), ("c", 4), ("a", 1)])
        for other in 1, None, [("a", 1)], {"a"}:
            with self.assertRaises(TypeError):
                frozen | other
            with self.assertRaises(TypeError):
                other | frozen
        plain = {"z": 1}
        plain |= frozen
        self.assertEqual(plain, {"z": 1, "a": 1, "b": 2})
        before = frozen
        frozen |= {"d": 1}
        self.assertEqual((before, frozen), ({"a": 1, "b": 2}, {"a": 1, "b": 2, "d": 1}))

    def test_conversions(self) -> None:
        frozen = FrozenDict(a=1, b=FrozenDict(c=(1, 2)))
        self.assertIs(type(dict(frozen)), dict)
        self.assertEqual(dict(frozen), {"a": 1, "b": {"c": (1, 2)}})
        self.assertEqual({**frozen}, dict(frozen))
        self.assertEqual((lambda **keywords: keywords)(**frozen), dict(frozen))
        self.assertEqual("{a}".format_map(frozen), "1")
        self.assertEqual("%(a)s" % frozen, "1")
        self.assertTrue(frozen and not FrozenDict())
        self.assertEqual(sorted(frozen), ["a", "b"])

    def test_json(self) -> None:
        frozen = FrozenDict(a=1, b=FrozenDict(c=(1, FrozenDict())))
        with self.assertRaises(TypeError):
            json.dumps(frozen)
        self.assertEqual(json.dumps(frozen, default=tenure.json_default), '{"a": 1, "b": {"c": [1, {}]}}')
        with self.assertRaisesRegex(TypeError, "^Object of type object is not JSON serializable$"):
            json.dumps(object(), default=tenure.json_default)

    def test_match(self) -> None:
        match FrozenDict(a=1, b=2, c=3):
            case {"a": a, "missing": _}:
                self.fail(a)
            case {"a": a, **rest}:
                self.assertEqual((a, rest), (1, {"b": 2, "c": 3}))
        match FrozenDict(a=1):
            case list():
                self.fail()
            case FrozenDict(whole):
                self.assertEqual(whole, {"a": 1})

    def test_copies(self) -> None:
        frozen = FrozenDict(a=1, b=(1, "x"))
        self.assertIs(copy.deepcopy(frozen), frozen)
        frozen = FrozenDict(a=[1], b=2)
        copied = copy.deepcopy(frozen)
        self.assertIs(type(copied), FrozenDict)
        self.assertEqual(copied, frozen)
        self.assertIsNot(copied["a"], frozen["a"])
        around: list[Any] = []
        frozen = FrozenDict(list=around)
        around.append(frozen)
        copied = copy.deepcopy(frozen)
        self.assertIs(copied["list"][0], copied)
        self.assertIsNot(copied, frozen)

    def test_pickle(self) -> None:
        frozen = FrozenDict({"a": 1, 2: (3, None), (1,): FrozenDict(b=[1]), "é" * 50: b"x", 1.5: NAN})
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            loaded = pickle.loads(pickle.dumps(frozen, protocol))
            self.assertIs(type(loaded), FrozenDict)
            self.assertEqual(repr(loaded), repr(frozen))
        self.assertIs(pickle.loads(pickle.dumps(FrozenDict)), FrozenDict)

    def test_size(self) -> None:
        self.assertGreater(sys.getsizeof(FrozenDict(a=1)), sys.getsizeof(FrozenDict()))

    def test_arguments(self) -> None:
        frozen = FrozenDict(a=1)
        for call in (frozen.get, lambda: frozen.get(1, 2, 3), lambda: frozen.get("a", default=1), lambda: frozen.keys(1),
                     lambda: frozen.copy(1)):  # fmt: skip
            with self.assertRaises(TypeError):
                call()


class BuiltIn(unittest.TestCase):
    """The built-in frozendict, which is new in 3.15."""

    def test_frozendict(self) -> None:
        if sys.version_info < (3, 15):
            self.assertFalse(hasattr(builtins, "frozendict"))
            return
        for items in {}, {"a": 1}, {1: "x", "é": (2, None), 2.5: 3}, {i: str(i) for i in range(100)}:
            frozen, builtin = FrozenDict(items), frozendict(items)
            self.assertTrue(frozen == builtin and builtin == frozen)
            self.assertFalse(frozen != builtin or builtin != frozen)
            self.assertEqual(hash(frozen), hash(builtin))
            self.assertEqual({builtin: 1}[frozen], 1)
            self.assertEqual(FrozenDict({builtin: 1})[frozen], 1)
            self.assertEqual(FrozenDict({frozen: 1, **{str(i): i for i in range(20)}})[builtin], 1)
            self.assertEqual(FrozenDict(builtin), items)
            self.assertEqual(frozendict(frozen), items)
            self.assertIs(type(frozen | builtin), FrozenDict)
            self.assertIs(type(builtin | frozen), frozendict)
            self.assertEqual(builtin | frozen, items)
        self.assertNotEqual(FrozenDict(a=1), frozendict(a=2))
        self.assertEqual(frozendict(b=1) | FrozenDict(a=2), {"b": 1, "a": 2})


if __name__ == "__main__":
    unittest.main()
