"""The module that moved from pybind11: each step answers and refuses what the one before did."""

from __future__ import annotations

import copy
import gc
import importlib
import pickle
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd() / "examples" / "moving_from_pybind11"))

STEPS = ("before", "step1", "step2")


def outcome(action: Callable[[], object]) -> object:
    """What it answers, or the kind of error it raises."""
    try:
        return action()
    except Exception as error:
        # One of the module's own is called as it is there.
        return type(error).__name__, isinstance(error, ValueError)


class StepsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.modules = [importlib.import_module(f"intervals_{step}") for step in STEPS]

    def same(self, use: Callable[[Any], object]) -> object:
        """Uses each module; checks that all of them come to the same, and returns it."""
        first, *others = (outcome(lambda module=module: use(module)) for module in self.modules)
        for step, other in zip(STEPS[1:], others):
            self.assertEqual(other, first, step)
        return first

    def test_values(self) -> None:
        self.assertEqual(
            self.same(lambda m: (m.Interval(1, 2.5).low, m.Interval(1, high=2.5).length)),
            (1.0, 1.5),
        )
        self.assertEqual(self.same(lambda m: repr(m.Interval(1, 2))), "Interval(1.0, 2.0)")
        self.assertIs(self.same(lambda m: m.Interval(1, 2) == m.Interval(1, 2)), True)
        self.assertIs(self.same(lambda m: m.Interval(1, 2) != m.Interval(1, 3)), True)
        self.assertIs(self.same(lambda m: m.Interval(1, 2) == (1, 2)), False)
        self.assertEqual(self.same(lambda m: hash(m.Interval(1, 2))), ("TypeError", False))
        self.assertIs(self.same(lambda m: 1.5 in m.Interval(1, 2)), True)
        self.assertIs(self.same(lambda m: 3 in m.Interval(1, 2)), False)
        self.assertEqual(
            self.same(lambda m: repr(m.Interval(1, 4).intersection(m.Interval(3, 9)))),
            "Interval(3.0, 4.0)",
        )
        self.assertIsNone(self.same(lambda m: m.Interval(1, 2).intersection(m.Interval(3, 4))))

    def test_parse(self) -> None:
        self.assertEqual(self.same(lambda m: repr(m.parse("1.5..3"))), "Interval(1.5, 3.0)")
        self.assertEqual(
            self.same(lambda m: repr(m.parse("1-2", separator="-"))), "Interval(1.0, 2.0)"
        )
        for text in ("", "1", "a..b", "1..", "1,5..3", "\N{BULLET}..1"):
            with self.subTest(text):
                self.assertEqual(self.same(lambda m: m.parse(text)), ("ParseError", True))
        self.assertEqual(self.same(lambda m: m.parse("2..1")), ("ValueError", True))
        for arguments in ((), (1,), (None,), ("1..2", None), ("1..2", ".", 3)):
            with self.subTest(arguments):
                self.assertEqual(self.same(lambda m: m.parse(*arguments)), ("TypeError", False))
        self.assertEqual(self.same(lambda m: m.parse(txt="1..2")), ("TypeError", False))

    def test_bytes_are_no_longer_text(self) -> None:
        before, step1, step2 = self.modules
        for module in (before, step1):
            self.assertEqual(module.parse(b"1..2").high, 2)
        with self.assertRaisesRegex(TypeError, "argument 'text' must be str, not bytes"):
            step2.parse(b"1..2")

    def test_constructor(self) -> None:
        self.assertEqual(self.same(lambda m: m.Interval(2, 1)), ("ValueError", True))
        self.assertEqual(self.same(lambda m: m.Interval(float("nan"), 1)), ("ValueError", True))
        for arguments in ((), (1,), ("1", 2), (None, 2), (1, 2, 3)):
            with self.subTest(arguments):
                self.assertEqual(self.same(lambda m: m.Interval(*arguments)), ("TypeError", False))

    def test_attributes_cannot_be_written(self) -> None:
        self.assertEqual(
            self.same(lambda m: setattr(m.Interval(1, 2), "low", 0)), ("AttributeError", False)
        )

    def test_merge(self) -> None:
        self.assertEqual(
            self.same(
                lambda m: repr(m.merge([m.Interval(5, 6), m.Interval(1, 3), m.Interval(2, 4)]))
            ),
            "[Interval(1.0, 4.0), Interval(5.0, 6.0)]",
        )
        self.assertEqual(self.same(lambda m: m.merge([])), [])
        for all_of in ([None], [1], [(1, 2)], None, 5, {"a": 1}):
            with self.subTest(all_of):
                self.assertEqual(self.same(lambda m: m.merge(all_of)), ("TypeError", False))

    def test_where(self) -> None:
        def long(m: Any) -> object:
            all_of = [m.Interval(1, 2), m.Interval(1, 9)]
            return [one is all_of[1] for one in m.where(all_of, lambda one: one.length > 2)]

        self.assertEqual(self.same(long), [True])
        self.assertEqual(self.same(lambda m: m.where([1, 0, "", "x"], bool)), [1, "x"])
        self.assertEqual(
            self.same(lambda m: m.where([1], lambda one: 1 / 0)), ("ZeroDivisionError", False)
        )
        self.assertEqual(self.same(lambda m: m.where([1], None)), ("TypeError", False))
        self.assertEqual(self.same(lambda m: m.where((1,), bool)), ("TypeError", False))

    def test_lengths(self) -> None:
        self.assertEqual(
            self.same(lambda m: m.lengths({"a": m.Interval(1, 3), "b": None, 3: m.Interval(1, 1)})),
            {"a": 2.0, 3: 0.0},
        )
        self.assertEqual(self.same(lambda m: m.lengths([])), ("TypeError", False))

    def test_pickle_and_copy(self) -> None:
        for again in (lambda one: pickle.loads(pickle.dumps(one)), copy.copy):
            self.assertIs(self.same(lambda m: again(m.Interval(1, 2)) == m.Interval(1, 2)), True)

    def test_subclass(self) -> None:
        def use(m: Any) -> object:
            class Named(m.Interval):
                def __init__(self, name: str) -> None:
                    super().__init__(1, 2)
                    self.name = name

            return Named("x").name, Named("x").length, repr(m.merge([Named("x")]))

        self.assertEqual(self.same(use), ("x", 1.0, "[Interval(1.0, 2.0)]"))

    def test_a_loop_whose_list_is_cleared(self) -> None:
        """The step is safer than what it replaces; only what came after pybind11 is asked."""
        for module in self.modules[1:]:
            all_of: list[object] = [object() for _ in range(100)]
            chosen = module.where(all_of, lambda one: all_of.clear() or True)
            self.assertEqual(len(chosen), 1)

    def test_nothing_leaks(self) -> None:
        for module in self.modules:
            one = module.Interval(1, 2)
            all_of, named = [one], {"a": one}

            def use() -> None:
                module.merge(all_of)
                module.where(all_of, bool)
                module.lengths(named)
                for wrong in ([None], [one, 1]):
                    self.assertRaises(TypeError, module.merge, wrong)

            use()
            gc.collect()
            before = sys.getrefcount(one), sys.getrefcount(all_of), sys.getrefcount(named)
            for _ in range(100):
                use()
            gc.collect()
            after = sys.getrefcount(one), sys.getrefcount(all_of), sys.getrefcount(named)
            self.assertEqual(after, before, module.__name__)


if __name__ == "__main__":
    unittest.main()
