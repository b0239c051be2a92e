"""tenure.FrozenDict against what a dict with the same items does."""

from __future__ import annotations

import collections
import collections.abc
import copy
import decimal
import enum
import fractions
import gc
import inspect
import json
import random
import sys
import types
import unittest
import weakref
from collections.abc import Callable
from typing import Any

from tenure import FrozenDict

# Around the number of entries from which there are slots instead of tags, and some more.
SIZES = (0, 1, 2, 7, 8, 9, 10, 11, 30, 500)


class Text(str):
    pass


class OddText(str):
    """Equal to other texts than str says."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self) -> int:
        return hash(self.lower())


class Number(int):
    pass


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Color(enum.Enum):
    RED = 1


class Same:
    """Equal to everything that has its hash."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return hash(other) == hash(self.value)

    def __hash__(self) -> int:
        return hash(self.value)


class Never:
    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 1


class Refusing:
    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __hash__(self) -> int:
        return hash("refused")


Point = collections.namedtuple("Point", "x y")
NAN = float("nan")

# Many are equal to others that look different.
KEYS = [
    "", "a", "b", "A", "ab", "é", "€", "😀", "a" * 40, "a" * 300, "refused", Text("a"), Text("c"), OddText("a"), OddText("AB"),
    b"", b"a", b"ab", b"a" * 40, memoryview(b"a"), memoryview(b"ab"),
    0, 1, -1, -2, 2, 300, 2**61 - 1, 2**61, 2**64, 10**30, -(10**30), True, False, Number(1), Number(77), Level.LOW, Level.HIGH,
    0.0, -0.0, 1.0, 0.5, 1e300, 2.0**61, float("inf"), -float("inf"), NAN, float("nan"), 1 + 0j, 1j, complex(NAN, 0), complex(0, 1),
    decimal.Decimal(1), decimal.Decimal("0.5"), decimal.Decimal(10**30), fractions.Fraction(1, 2), fractions.Fraction(300),
    None, ..., NotImplemented, Color.RED, int, len, json, Same("a"), Same(1), Never(), range(3), range(0, 3, 1), slice(1, 2),
    (), (1,), (1.0,), (True,), ("a",), ("a", 1), Point("a", 1), ((), ()), (NAN,), (float("nan"),), (Same("a"), 1), (decimal.Decimal(1),),
    ((1, "a"), ("b", (2.0, None))), frozenset(), frozenset([1]), frozenset([1.0]), frozenset(["a", ("b", 1)]), frozenset([frozenset()]),
    FrozenDict(), FrozenDict(a=1), FrozenDict(a=1.0), FrozenDict({1: FrozenDict(b=2)}), FrozenDict({Never(): 1}),
]  # fmt: skip
if sys.version_info >= (3, 15):
    KEYS += [frozendict(), frozendict(a=1), (frozendict(a=1),)]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call does: its result, or its exception's type and text."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


class AgainstDict(unittest.TestCase):
    def check(self, items: list[tuple[Any, Any]], probes: list[Any]) -> None:
        expected, frozen = dict(items), FrozenDict(items)
        self.assertEqual(len(frozen), len(expected))
        for got, wanted in zip(frozen.items(), expected.items(), strict=True):
            self.assertIs(got[0], wanted[0])
            self.assertIs(got[1], wanted[1])
        for key in probes:
            with self.subTest(key=key, size=len(expected)):
                wanted = outcome(lambda: expected[key])
                got = outcome(lambda: frozen[key])
                self.assertTrue(got is wanted or got == wanted, (got, wanted))
                self.assertEqual(outcome(lambda: key in frozen), outcome(lambda: key in expected))
                self.assertIs(frozen.get(key, probes), expected.get(key, probes))
                self.assertIs(frozen.get(key), expected.get(key))
        self.assertTrue(frozen == expected and expected == frozen)
        self.assertFalse(frozen != expected or expected != frozen)

    def test_keys_of_every_kind(self) -> None:
        randomly = random.Random(7)
        for turn in range(150):
            size = randomly.choice(SIZES)
            kind = randomly.randrange(4)
            keys = [randomly.choice(KEYS) for _ in range(min(size, 60))]
            if kind == 1:
                keys = [key for key in keys if isinstance(key, str | int | float | tuple | None)]
            if kind == 2:
                keys = [randomly.choice((f"key {i}", i, i / 2, (i, "x"), str(i).encode())) for i in range(size)]
            if kind == 3:
                keys += [f"key {i}" for i in range(size)]
                randomly.shuffle(keys)
            items = [(key, object()) for key in keys]
            probes = KEYS + ["key 1", "key 10000", 5, 7.5, (3, "x"), b"2"]
            self.check(items, probes)

    def test_equal_strings_that_are_other_objects(self) -> None:
        for size in SIZES:
            for letter in "xé€😀":
                keys = [letter * (i % 30) + str(i) for i in range(size)]
                self.check([(key, i) for i, key in enumerate(keys)], ["".join(list(key)) for key in keys] + [letter])

    def test_a_key_that_refuses(self) -> None:
        for size in SIZES:
            frozen = FrozenDict({"refused": 1, **{str(i): i for i in range(size)}})
            for call in frozen.__getitem__, frozen.get, frozen.__contains__:
                with self.assertRaises(ZeroDivisionError):
                    call(Refusing())
            other = FrozenDict({Refusing(): 1, **{str(i): i for i in range(size)}})
            with self.assertRaises(ZeroDivisionError):
                other["refused"]
            self.assertIsNone(other.get("other"))

    def test_unhashable_keys(self) -> None:
        for size in SIZES:
            expected = {str(i): i for i in range(size)}
            frozen = FrozenDict(expected)
            for key in [], {}, set(), ([],), (1, ("a", {})), slice([]), FrozenDict(a=[]), (FrozenDict(a=[]),):
                wanted = outcome(lambda: expected[key])
                self.assertEqual(wanted[0], TypeError)
                self.assertEqual(outcome(lambda: frozen[key]), wanted)
                self.assertEqual(outcome(lambda: key in frozen)[0], TypeError)
                self.assertEqual(outcome(lambda: frozen.get(key))[0], TypeError)

    def test_missing_keys(self) -> None:
        for key in "a", 1, (1, 2), (), None, "x'":
            with self.assertRaises(KeyError) as caught:
                FrozenDict()[key]
            self.assertEqual(caught.exception.args, (key,))

    def test_deep_keys(self) -> None:
        def nested(depth: int) -> Any:
            key: Any = "a"
            for _ in range(depth):
                key = (key,)
            return key

        for depth in 10, 63, 64, 65, 70, 100:
            for size in 1, 20:
                frozen = FrozenDict({nested(depth): "deep", **{i: i for i in range(size)}})
                self.assertEqual(frozen[nested(depth)], "deep")
                self.assertNotIn(nested(depth + 1), frozen)
                self.assertNotIn(nested(depth - 1), frozen)

    def test_keys_chosen_to_collide(self) -> None:
        # Python's own hash of them is the same, and so is ours.
        keys = [i * (2**61 - 1) + 5 for i in range(3000)]
        frozen = FrozenDict.fromkeys(keys, 1)
        self.assertEqual(frozen[keys[-1]], 1)
        self.assertNotIn(6, frozen)
        self.assertEqual(frozen, dict.fromkeys(keys, 1))


class Construction(unittest.TestCase):
    def test_takes_what_dict_takes(self) -> None:
        class Keys:
            def keys(self) -> list[str]:
                return ["a", "b"]

            def __getitem__(self, key: str) -> str:
                return key * 2

        class Sub(dict):
            def __iter__(self):
                return iter(["other"])

            def keys(self):
                return ["other"]

            def __getitem__(self, key):
                return key

        sources = [(), ({},), ({"a": 1},), ([("a", 1), ["b", 2]],), ("ab cd".split(),), (Keys(),), (Sub(x=1),),
                   (types.MappingProxyType({"a": 1}),), (collections.OrderedDict(b=1, a=2),), (FrozenDict(z=1),),
                   (((i, i) for i in range(20)),), (collections.ChainMap({"a": 1}, {"b": 2}),)]  # fmt: skip
        for arguments in sources:
            for keywords in {}, {"k": 1}, {"a": 5, "self": 1, "mapping_or_iterable": 2}:
                if isinstance(next(iter(arguments), None), types.GeneratorType):
                    arguments = ([(i, i) for i in range(20)],)
                frozen = FrozenDict(*arguments, **keywords)
                self.assertIs(type(frozen), FrozenDict)
                self.assertEqual(list(frozen.items()), list(dict(*arguments, **keywords).items()))
        for arguments in (1,), ([1],), ([(1, 2, 3)],), (["abc"],), ([([], 1)],), (None,):
            wanted = outcome(lambda: dict(*arguments))
            self.assertEqual(outcome(lambda: FrozenDict(*arguments)), wanted)
        with self.assertRaisesRegex(TypeError, "FrozenDict expected at most 1 argument, got 2"):
            FrozenDict(1, 2)
        with self.assertRaisesRegex(TypeError, "keywords must be strings"):
            FrozenDict(**{1: 2})

    def test_of_itself(self) -> None:
        frozen = FrozenDict(a=1)
        self.assertIs(FrozenDict(frozen), frozen)
        self.assertIs(frozen.copy(), frozen)
        self.assertIs(copy.copy(frozen), frozen)
        self.assertEqual(FrozenDict(frozen, b=2), {"a": 1, "b": 2})

    def test_fromkeys(self) -> None:
        self.assertEqual(FrozenDict.fromkeys("ab"), {"a": None, "b": None})
        self.assertEqual(FrozenDict.fromkeys(iter([1, 2]), 7), {1: 7, 2: 7})
        self.assertIs(type(FrozenDict(a=1).fromkeys([])), FrozenDict)
        with self.assertRaises(TypeError):
            FrozenDict.fromkeys()
        with self.assertRaises(TypeError):
            FrozenDict.fromkeys(1)
        with self.assertRaises(TypeError):
            FrozenDict.fromkeys([[]])

    def test_does_not_change(self) -> None:
        frozen = FrozenDict(a=1)
        with self.assertRaisesRegex(TypeError, "does not support item assignment"):
            frozen["a"] = 2
        with self.assertRaisesRegex(TypeError, "does not support item deletion|doesn't support item deletion"):
            del frozen["a"]
        with self.assertRaises(AttributeError):
            frozen.x = 1
        with self.assertRaises(TypeError):
            FrozenDict.x = 1
        for name in "update", "pop", "popitem", "clear", "setdefault", "__setitem__", "__delitem__":
            self.assertFalse(hasattr(frozen, name), name)
        source = {"a": 1}
        frozen = FrozenDict(source)
        source["b"] = 2
        self.assertEqual(frozen, {"a": 1})

    def test_is_final(self) -> None:
        with self.assertRaisesRegex(TypeError, "not an acceptable base type"):
            type("Sub", (FrozenDict,), {})
        with self.assertRaises(TypeError):
            object.__new__(FrozenDict)

    def test_type(self) -> None:
        self.assertEqual((FrozenDict.__module__, FrozenDict.__qualname__), ("tenure", "FrozenDict"))
        self.assertEqual(repr(FrozenDict), "<class 'tenure.FrozenDict'>")
        self.assertEqual(str(inspect.signature(FrozenDict)), "(mapping_or_iterable=(), /, **kwargs)")
        self.assertEqual(FrozenDict[str, int].__args__, (str, int))
        self.assertTrue(any(sub is FrozenDict for sub in object.__subclasses__()))
        self.assertIs(weakref.ref(FrozenDict)(), FrozenDict)
        self.assertTrue(issubclass(FrozenDict, collections.abc.Mapping))
        self.assertFalse(issubclass(FrozenDict, collections.abc.MutableMapping))
        for name in collections.abc.Mapping.__abstractmethods__ | {"get", "keys", "values", "items", "__contains__"}:
            self.assertTrue(hasattr(FrozenDict, name), name)


class Collection(unittest.TestCase):
    class Object:
        pass

    def test_cycles_are_collected(self) -> None:
        def through_list(target: object) -> FrozenDict:
            around: list[Any] = [target]
            around.append(FrozenDict(a=around))
            return around[-1]

        def through_key(target: Any) -> FrozenDict:
            frozen = FrozenDict({target: 1, **{str(i): i for i in range(20)}})
            target.frozen = frozen
            # Has the fallback made, which refers to the key as well.
            self.assertNotIn(decimal.Decimal(1), frozen)
            return frozen

        for make in through_list, through_key:
            target = self.Object()
            died = weakref.ref(target)
            frozen = make(target)
            del target
            gc.collect()
            self.assertIsNotNone(died())
            del frozen
            gc.collect()
            self.assertIsNone(died())

    def test_what_the_collector_knows(self) -> None:
        self.assertFalse(gc.is_tracked(FrozenDict(a=1, b="x", c=FrozenDict())))
        self.assertTrue(gc.is_tracked(FrozenDict(a=[])))
        self.assertTrue(gc.is_tracked(FrozenDict(a=FrozenDict(b=[]))))
        value: list[Any] = []
        self.assertIn(value, gc.get_referents(FrozenDict(a=value)))

    def test_deep_nesting(self) -> None:
        frozen = FrozenDict()
        for _ in range(200_000):
            frozen = FrozenDict(a=frozen)
        with self.assertRaises(RecursionError):
            repr(frozen)
        with self.assertRaises(RecursionError):
            hash(frozen)
        del frozen


if __name__ == "__main__":
    unittest.main()
