"""Bound functions: how arguments find their parameters, and what they may be."""

from __future__ import annotations

import copy
import gc
import inspect
import itertools
import math
import pickle
import pydoc
import threading
import types
import unittest

import functions_sample as sample
from support import BindCase

# The same in Python: what a call says and does has to be the same.
TWINS = {
    "one_named": lambda x: x,
    "named": lambda a, b: (a, b),
    "mixed": lambda a, /, b, *, c, d: (a, b, c, d),
    "mixed_defaults": lambda a, /, b=None, *, c, d=None: (a, b, c, d),
    "only": lambda a, b, c=None, /: (a, b, c),
    "by_name": lambda *, a, b, c: (a, b, c),
    "optional": lambda a, b=None, c=None: (a, b, c),
}
for name, twin in TWINS.items():
    twin.__name__ = twin.__qualname__ = name
    twin.__code__ = twin.__code__.replace(co_name=name, co_qualname=name)


class HostileStr(str):
    """Nobody may ask it what it is equal to."""

    calls = 0

    def __eq__(self, other):
        HostileStr.calls += 1
        raise ZeroDivisionError

    def __hash__(self):
        return str.__hash__(self)


def outcome(function, arguments, by_name):
    try:
        return function(*arguments, **by_name)
    except TypeError as error:
        return str(error).partition(". Did you mean")[0]


class ArgumentsTest(BindCase):
    def test_every_call_as_in_python(self):
        names = ["a", "b", "c", "d", "x", "unknown"]
        calls = 0
        for count in range(6):
            for size in range(4):
                for chosen in itertools.permutations(names, size):
                    by_name = {name: f"by {name}" for name in chosen}
                    arguments = tuple(range(count))
                    for name, twin in TWINS.items():
                        if "x" in chosen and name != "one_named":
                            continue
                        if name == "only" and chosen:  # CPython refuses those itself.
                            self.assertRaises(TypeError, sample.only, *arguments, **by_name)
                            continue
                        ours = outcome(getattr(sample, name), arguments, by_name)
                        self.assertEqual(ours, outcome(twin, arguments, by_name), (name, arguments, by_name))
                        calls += 1
        self.assertGreater(calls, 3000)

    def test_order_of_keywords(self):
        for order in itertools.permutations("bcd"):
            by_name = dict.fromkeys(order)
            for place, name in enumerate("bcd"):
                by_name[name] = place
            self.assertEqual(sample.mixed("a", **by_name), ("a", 0, 1, 2))
        self.assertEqual(sample.named(b=2, a=1), (1, 2))
        self.assertEqual(sample.named(1, b=2), (1, 2))

    def test_names_that_are_not_interned(self):
        def fresh(name):
            return f"{name}_"[:-1] if len(name) > 1 else type("Fresh", (str,), {})(name)

        self.assertEqual(sample.named(**{fresh("a"): 1, fresh("b"): 2}), (1, 2))
        self.assertEqual(sample.defaults(**{fresh("text"): "ab", fresh("times"): 1}), 4)
        self.assertEqual(getattr(sample, "ünï")(**{"grö" + chr(223) + "e": 5}), 5)
        self.assertEqual(self.message(TypeError, getattr(sample, "ünï")),
                         "ünï() missing 1 required positional argument: 'größe'")

    def test_names_that_are_hostile(self):
        HostileStr.calls = 0
        self.assertEqual(sample.named(**{HostileStr("a"): 1, HostileStr("b"): 2}), (1, 2))
        self.assertIn("multiple values for argument 'a'",
                      self.message(TypeError, lambda: sample.named(1, **{HostileStr("a"): 1, "b": 2})))
        self.assertIn("'no'", self.message(TypeError, lambda: sample.named(**{HostileStr("no"): 1})))
        self.assertIn("strings", self.message(TypeError, lambda: sample.named(**{1: 2})))
        self.assertIn("\\udc80", ascii(self.message(TypeError, lambda: sample.named(**{"\udc80": 2}))))
        self.assertEqual(HostileStr.calls, 0)

    def test_without_names(self):
        self.assertEqual(sample.two(1, 2), (1, 2))
        self.assertIn("keyword", self.message(TypeError, sample.two, 1, b=2))
        self.assertEqual(self.message(TypeError, sample.two, 1),
                         "two() missing 1 required positional argument: 2")
        self.assertIsNone(sample.nothing())
        self.assertEqual(self.message(TypeError, sample.nothing, 1),
                         "nothing() takes 0 positional arguments but 1 was given")
        self.assertRaises(TypeError, sample.one)
        self.assertRaises(TypeError, sample.one, 1, 2)
        self.assertRaises(TypeError, sample.one, x=1)
        self.assertEqual(sample.one_only(3), 3)

    def test_all_arguments(self):
        self.assertEqual(sample.everything(), ((), {}))
        self.assertEqual(sample.everything(1, 2, x=3), ((1, 2), {"x": 3}))
        self.assertEqual(sample.everything(*range(300), **{f"n{i}": i for i in range(300)}),
                         (tuple(range(300)), {f"n{i}": i for i in range(300)}))

    def test_defaults(self):
        self.assertEqual(sample.add(1), 6)
        self.assertEqual(sample.add(1, 1), 5)
        self.assertEqual(sample.add(1, z=1), 4)
        self.assertEqual(sample.add(z=1, y=1, x=1), 3)
        self.assertEqual(sample.defaults(), len("it's \"\\ä".encode()) * -2)
        self.assertEqual(sample.defaults(is_loud=False), -len("it's \"\\ä".encode()))
        self.assertEqual(sample.defaults("ab", is_loud=False), -2)
        self.assertEqual(sample.infinite(), -math.inf)
        self.assertEqual((sample.next(), sample.next(None), sample.next(1)), (None, None, 2))
        self.assertEqual((sample.either(), sample.either(2), sample.either(x=3)), (None, 2, 3))

    def test_long_lists_of_arguments(self):
        for count in (0, 5, 1000, 100000):
            if count != 2:
                self.assertRaises(TypeError, sample.named, *range(count))
        self.assertRaises(TypeError, sample.named, **{f"n{i}": i for i in range(1000)})


class ConversionTest(BindCase):
    def test_edges_of_integers(self):
        for bits in (8, 16, 32, 64):
            for prefix, low, high in (("", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), ("u", 0, 2**bits - 1)):
                same = getattr(sample, f"{prefix}int{bits}")
                for value in {low, low + 1, -1 if low else 1, 0, 1, high - 1, high}:
                    self.assertEqual(same(value), value)
                    self.assertIs(type(same(value)), int)
                for value in (low - 1, high + 1, 10**30, -(10**30), 2**64, -(2**64)):
                    if low <= value <= high:
                        continue
                    self.assertRaises(OverflowError, same, value)
                self.assertEqual(same(True), 1)
                for value in (1.0, "1", None, b"1", [], 1j, math.nan):
                    self.assertIn("interpreted as an integer", self.message(TypeError, same, value))

    def test_index(self):
        class Index:
            def __init__(self, value):
                self.value = value

            def __index__(self):
                if isinstance(self.value, BaseException):
                    raise self.value
                return self.value

        class Int(int):
            def __index__(self):
                raise AssertionError("an int is what it is")

        self.assertEqual(sample.int8(Index(5)), 5)
        self.assertEqual(sample.int8(Int(7)), 7)
        self.assertRaises(OverflowError, sample.int8, Index(500))
        self.assertRaises(KeyError, sample.int8, Index(KeyError()))
        self.assertRaises(TypeError, sample.int8, Index(1.5))
        self.assertRaises(TypeError, sample.int8, Index("1"))

    def test_floats(self):
        class Float:
            def __float__(self):
                return 2.5

        class Bad:
            def __float__(self):
                raise KeyError

        self.assertEqual(sample.half(Float()), 1.25)
        self.assertEqual(sample.half(3), 1.5)
        self.assertRaises(KeyError, sample.half, Bad())
        self.assertRaises(OverflowError, sample.half, 10**400)
        self.assertRaises(TypeError, sample.half, "1")
        self.assertTrue(math.isnan(sample.float64(math.nan)))
        self.assertEqual(sample.float32(1e300), math.inf)
        self.assertEqual(math.copysign(1, sample.float64(-0.0)), -1)
        self.assertEqual(sample.float64(-1.0), -1.0)

    def test_bools(self):
        self.assertIs(sample.opposite(True), False)
        self.assertIs(sample.opposite(False), True)
        for value in (0, 1, None, "", []):
            self.assertIn("must be bool", self.message(TypeError, sample.opposite, value))

    def test_strs(self):
        for text in ("", "a", "ä", "日本", "\0", "\U0001f600" * 100):
            self.assertEqual(sample.echo(text), text)
        self.assertRaises(UnicodeEncodeError, sample.echo, "\ud800")
        self.assertEqual(self.message(TypeError, sample.echo, b"a"), "echo() argument 'text' must be str, not bytes")
        self.assertEqual(self.message(TypeError, sample.echo, None), "echo() argument 'text' must be str, not None")
        self.assertEqual(self.message(TypeError, sample.length, 1), "length() argument 1 must be str, not int")
        self.assertEqual(sample.echo(HostileStr("x")), "x")
        self.assertEqual(sample.text(), "text")

    def test_optionals(self):
        self.assertRaises(TypeError, sample.next, "1")
        self.assertRaises(OverflowError, sample.next, 2**40)

    def test_views(self):
        self.assertEqual(sample.of_views([], {}, ()), ([], {}, (), None))
        self.assertEqual(sample.of_views([], {}, (), b""), ([], {}, (), b""))
        self.assertEqual(self.message(TypeError, sample.of_views, (), {}, ()),
                         "of_views() argument 'list' must be list, not tuple")
        self.assertEqual(self.message(TypeError, sample.of_views, [], {}, (), 1),
                         "of_views() argument 'bytes' must be bytes or None, not int")

    def test_arguments_that_drop_others(self):
        # What the caller passes is kept by the caller, whatever the conversions do.
        kept = {}

        class Drops:
            def __float__(self):
                kept.clear()
                gc.collect()
                return 1.5

            def __index__(self):
                kept.clear()
                return 2

        kept.update(first=object(), words="a text " * 50, number=Drops(), count=Drops())
        text = kept["words"]
        answer = sample.after(**kept)
        self.assertEqual(answer[1:], (text, 1.5, 2))
        kept.update(first=object(), words="a text " * 50, number=Drops(), count=Drops())
        self.assertEqual(sample.after(*kept.values())[1:], (text, 1.5, 2))
        self.assertEqual(kept, {})

    def test_error_of_an_argument_is_kept(self):
        class Fails:
            def __float__(self):
                raise ValueError("mine")

        self.assertEqual(self.message(ValueError, sample.add, Fails()), "mine")
        self.assertRaises(KeyError, sample.fails)


class IntrospectionTest(BindCase):
    def test_signatures(self):
        for name, twin in TWINS.items():
            ours = inspect.signature(getattr(sample, name))
            self.assertEqual(str(ours), str(inspect.signature(twin)))
        self.assertEqual(str(inspect.signature(sample.add)), "(x, y=2.0, *, z=3.0)")
        self.assertEqual(str(inspect.signature(sample.nothing)), "()")
        self.assertEqual(str(inspect.signature(sample.two)), "(arg0, arg1, /)")
        self.assertEqual(str(inspect.signature(sample.everything)), "(*args, **kwargs)")
        defaults = inspect.signature(sample.defaults).parameters
        self.assertEqual([one.default for one in defaults.values()], ["it's \"\\ä", -1, True])
        self.assertEqual(str(inspect.signature(sample.infinite)), "(x=Ellipsis, y=Ellipsis)")
        for name in dir(sample):
            # inspect reads ASCII only.
            if callable(getattr(sample, name)) and name.isascii():
                inspect.signature(getattr(sample, name))

    def test_docs(self):
        self.assertEqual(sample.__doc__, "Functions.")
        self.assertEqual(sample.two.__doc__, "Both.")
        self.assertEqual(sample.named.__doc__, 'Says "both".\n\nAnd \\ more.')
        self.assertEqual(sample.named.__text_signature__, "(a, b)")
        self.assertIn("named(a, b)", pydoc.plain(pydoc.render_doc(sample.named)))
        pydoc.plain(pydoc.render_doc(sample))

    def test_names(self):
        self.assertEqual(sample.add.__module__, "functions_sample")
        self.assertEqual((sample.add.__name__, sample.add.__qualname__), ("add", "add"))
        self.assertEqual(repr(sample.add), "<built-in function add>")
        self.assertIs(type(sample.add), types.BuiltinFunctionType)
        self.assertIs(sample.add.__self__, sample)
        self.assertEqual((sample.number, sample.words, sample.is_it, sample.nothing_at_all), (42, "some", True, None))

    def test_pickles(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.assertIs(pickle.loads(pickle.dumps(sample.add, protocol)), sample.add)
        self.assertIs(copy.copy(sample.add), sample.add)
        self.assertIs(copy.deepcopy(sample.add), sample.add)

    def test_stub(self):
        text = sample.__tenure_stub__()
        compile(text, "functions_sample.pyi", "exec")
        names = {}
        exec("from __future__ import annotations\n" + text, names)
        for name in TWINS:
            self.assertEqual(list(inspect.signature(names[name]).parameters),
                             list(inspect.signature(getattr(sample, name)).parameters))
        self.assertEqual(names["named"].__doc__, sample.named.__doc__)
        self.assertIn("def next(x: int | None = None) -> int | None: ...", text)


class RunningTest(BindCase):
    def test_function_that_is_deleted_while_it_runs(self):
        apply = sample.apply

        def drop(argument):
            del sample.apply
            gc.collect()
            return argument

        try:
            self.assertEqual(sample.apply(drop, 5), 5)
        finally:
            sample.apply = apply

    def test_deep_recursion(self):
        def down(n):
            return sample.apply(down, n - 1) if n else "bottom"

        self.assertEqual(down(100), "bottom")
        self.assertRaises(RecursionError, down, 10**6)

    def test_errors_through_cpp(self):
        def fails(argument):
            raise argument

        for error in (KeyError("x"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()):
            self.assertRaises(type(error), sample.apply, fails, error)

    def test_threads(self):
        failed = []

        def work():
            for i in range(2000):
                if sample.named(b=i, a=1) != (1, i) or sample.add(i, z=0) != i + 2:
                    failed.append(i)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main()
