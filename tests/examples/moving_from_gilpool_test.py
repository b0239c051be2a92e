"""The module that moved from a pool of references: the same answers and errors, no more leak."""

from __future__ import annotations

import gc
import importlib
import sys
import unittest
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd() / "examples" / "moving_from_gilpool"))

STEPS = ("before", "step1", "step2", "step3")


class Order:
    """Counts how many of them there are, and how many there ever were at a time."""

    alive = most = 0

    def __init__(self, customer: object = "a", amount: object = 1.0) -> None:
        self.customer, self.amount = customer, amount
        Order.alive += 1
        Order.most = max(Order.most, Order.alive)

    def __del__(self) -> None:
        Order.alive -= 1


class Text(str):
    alive = most = 0

    def __init__(self, *_: object) -> None:
        Text.alive += 1
        Text.most = max(Text.most, Text.alive)

    def __del__(self) -> None:
        Text.alive -= 1


class StepsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.modules = [importlib.import_module(f"report_{step}") for step in STEPS]

    def same(self, use: Callable[[Any], object]) -> object:
        outcomes = []
        for module in self.modules:
            try:
                outcomes.append(use(module))
            except Exception as error:
                outcomes.append(type(error))
        for step, other in zip(STEPS[1:], outcomes[1:]):
            self.assertEqual(other, outcomes[0], step)
        return outcomes[0]

    def test_totals(self) -> None:
        orders = [Order("a", 1.5), Order("b", 2), Order("a", True), Order(("c", 1), -1e300)]
        self.assertEqual(
            self.same(lambda m: m.totals(orders)), {"a": 2.5, "b": 2.0, ("c", 1): -1e300}
        )
        self.assertEqual(self.same(lambda m: m.totals(iter(orders[:1]))), {"a": 1.5})
        self.assertEqual(self.same(lambda m: m.totals([])), {})

    def test_totals_of_what_is_no_order(self) -> None:
        for orders, expected in (
            (None, TypeError),
            (5, TypeError),
            ([1], AttributeError),
            ([Order("a", "1")], TypeError),
            ([Order("a", None)], TypeError),
            ([Order("a", 10**400)], OverflowError),
            ([Order([], 1)], TypeError),
            ((1 / 0 for _ in range(1)), ZeroDivisionError),
        ):
            with self.subTest(orders):
                again = orders
                if isinstance(orders, Iterator):
                    self.assertEqual(
                        self.same(lambda m: m.totals(1 / 0 for _ in range(1))), expected
                    )
                else:
                    self.assertEqual(self.same(lambda m: m.totals(again)), expected)

    def test_longest(self) -> None:
        texts = ["a", "ccc", "bbb", ""]
        self.assertEqual(self.same(lambda m: m.longest(texts)), "ccc")
        self.assertIs(self.same(lambda m: m.longest(texts)), texts[1])
        self.assertEqual(self.same(lambda m: m.longest("\U0001f600x")), "\U0001f600")
        for wrong, expected in (
            ([], ValueError),
            (["a", b"bb"], TypeError),
            ([None], TypeError),
            (None, TypeError),
        ):
            with self.subTest(wrong):
                self.assertEqual(self.same(lambda m: m.longest(wrong)), expected)

    def most_alive(self, kind: type, use: Callable[[Iterator[object]], object]) -> int:
        kind.alive = kind.most = 0  # type: ignore[attr-defined]
        use(kind("x" * i) for i in range(1000))
        gc.collect()
        self.assertLessEqual(kind.alive, 1)  # type: ignore[attr-defined]
        return kind.most  # type: ignore[attr-defined, no-any-return]

    def test_loops(self) -> None:
        """A pool keeps everything that comes by; handles keep what is used."""
        before, step1, *with_handles = self.modules
        for module in (before, step1):
            self.assertEqual(self.most_alive(Order, module.totals), 1000)
            self.assertEqual(self.most_alive(Text, module.longest), 1000)
        for step in with_handles:
            self.assertLessEqual(self.most_alive(Order, step.totals), 2)
            self.assertLessEqual(self.most_alive(Text, step.longest), 3)

    @unittest.skipUnless(hasattr(sys, "gettotalrefcount"), "only debug builds warn")
    def test_pools_that_grow_warn(self) -> None:
        for module, expected in zip(self.modules[1:], (True, False, False)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                module.longest("a text" for _ in range(100_000))
            said = [str(one.message) for one in caught]
            self.assertEqual(bool(said), expected, module.__name__)
            for text in said:
                self.assertRegex(text, r"^the ReferencePool of report_step1\.cc:\d+ holds \d+ ")

    def test_nothing_leaks_after_the_call(self) -> None:
        customer = "a customer"
        orders, wrong = [Order(customer, 2.0)], [Order(customer, None)]

        def use(module: Any) -> None:
            module.totals(orders)
            module.longest([customer])
            self.assertRaises(TypeError, module.totals, wrong)
            self.assertRaises(TypeError, module.longest, [customer, None])

        for module in self.modules:
            use(module)
            gc.collect()
            before = sys.getrefcount(customer), sys.getrefcount(orders), sys.getrefcount(orders[0])
            for _ in range(100):
                use(module)
            gc.collect()
            after = sys.getrefcount(customer), sys.getrefcount(orders), sys.getrefcount(orders[0])
            self.assertEqual(after, before, module.__name__)


if __name__ == "__main__":
    unittest.main()
