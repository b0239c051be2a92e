"""The examples of docs/bindings.md do what the guide says of them."""

from __future__ import annotations

import copy
import datetime
import gc
import inspect
import pickle
import sys
import unittest
import weakref
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd() / "examples" / "bindings"))

import prices  # type: ignore[import-not-found]
import shapes  # type: ignore[import-not-found]


class Refusing(unittest.TestCase):
    def refused(self, action: Callable[[], object], kind: type[Exception], message: str) -> None:
        with self.assertRaises(kind) as caught:
            action()
        self.assertEqual(str(caught.exception), message)


class ParametersTest(Refusing):
    def test_words(self) -> None:
        self.assertAlmostEqual(prices.with_tax(100), 119)
        self.assertAlmostEqual(prices.with_tax(100, rate=0.07), 107)
        self.assertEqual(prices.scale(times=3, price=1.5, rounded=True), 5)
        self.assertEqual(prices.receipt(1, "a", b=2), "1\na\nb: 2")
        self.assertEqual(prices.receipt(), "")
        self.assertEqual(str(inspect.signature(prices.scale)), "(price, times, *, rounded=False)")
        self.assertEqual(str(inspect.signature(prices.with_tax)), "(price, /, rate=0.19)")
        self.assertEqual(prices.with_tax.__doc__, "The price with the tax.")
        self.assertEqual(prices.__doc__, "What things cost.")

    def test_messages(self) -> None:
        for action, message in (
            (
                lambda: prices.scale(),
                "scale() missing 2 required positional arguments: 'price' and 'times'",
            ),
            (
                lambda: prices.scale(1, 2, 3, 4),
                "scale() takes 2 positional arguments but 4 were given",
            ),
            (
                lambda: prices.scale(1, 2, price=3),
                "scale() got multiple values for argument 'price'",
            ),
            (lambda: prices.scale(1, 2, x=3), "scale() got an unexpected keyword argument 'x'"),
            (
                lambda: prices.with_tax(price=1),
                "with_tax() got some positional-only arguments passed as keyword arguments:"
                " 'price'",
            ),
            (lambda: prices.count((1,)), "count() argument 'items' must be list, not tuple"),
            (
                lambda: prices.currency(1),
                "currency() argument 'country' must be str or None, not int",
            ),
            (
                lambda: prices.scale(1, 2, rounded=1),
                "scale() argument 'rounded' must be bool, not int",
            ),
        ):
            with self.subTest(message):
                self.refused(action, TypeError, message)


class ConversionsTest(Refusing):
    def test_numbers(self) -> None:
        class Number:
            def __index__(self) -> int:
                return 7

            def __float__(self) -> float:
                return 0.5

        self.assertEqual(prices.percent(255), 255)
        self.assertEqual(prices.percent(True), 1)
        self.assertEqual(prices.percent(Number()), 7)
        self.assertEqual(prices.share(Number(), 1), 0.5)
        self.assertEqual(prices.share(3, 2), 1.5)
        for wrong in (256, -1, 10**30):
            self.assertRaises(OverflowError, prices.percent, wrong)
        for wrong in (1.0, "1", None):
            self.assertRaises(TypeError, prices.percent, wrong)
        for wrong in ("1", None, 1j):
            self.assertRaises(TypeError, prices.share, wrong, 1)
        self.assertRaises(OverflowError, prices.share, 10**400, 1)

    def test_text_and_none(self) -> None:
        self.assertEqual(prices.currency(), "EUR")
        self.assertEqual(prices.currency(None), "EUR")
        self.assertEqual(prices.currency("ch"), "CHF")
        self.assertIsNone(prices.currency("xx"))
        self.assertRaises(TypeError, prices.currency, b"ch")
        self.assertRaises(UnicodeEncodeError, prices.currency, "\ud800")

    def test_handles(self) -> None:
        class Rows(list):
            pass

        thing = object()
        self.assertIs(prices.same(thing), thing)
        self.assertIs(prices.same(None), None)
        self.assertEqual(prices.count(Rows([1, 2])), 2)

    def test_type_of_ones_own(self) -> None:
        self.assertEqual(prices.sum(Decimal("1.25"), Decimal(2)), Decimal("3.25"))
        self.refused(
            lambda: prices.sum(Decimal(1), 1.5),
            TypeError,
            "sum() argument 'b' must be a Decimal, not float",
        )
        self.refused(
            lambda: prices.sum(Decimal("0.001"), Decimal(1)),
            ValueError,
            "0.001 has fractions of a cent",
        )
        self.assertRaises(OverflowError, prices.sum, Decimal(10**30), Decimal(1))

    def test_dates(self) -> None:
        self.assertEqual(prices.due(datetime.date(2026, 1, 30)), datetime.date(2026, 3, 1))
        self.assertRaises(OverflowError, prices.due, datetime.date.max)
        self.assertRaises(TypeError, prices.due, "2026-01-30")


class StateTest(unittest.TestCase):
    def test_each_copy_has_its_own(self) -> None:
        prices.set_rate("de", 0.19)
        asked = prices.asked()
        self.assertEqual(prices.rate("de"), 0.19)
        self.assertEqual(prices.asked(), asked + 1)
        self.assertRaises(KeyError, prices.rate, "absent")
        del sys.modules["prices"]
        self.addCleanup(sys.modules.__setitem__, "prices", prices)
        import prices as other

        self.assertIsNot(other, prices)
        self.assertEqual(other.asked(), 0)
        self.assertRaises(KeyError, other.rate, "de")


class ErrorsTest(Refusing):
    def test_all_ways(self) -> None:
        self.assertTrue(issubclass(prices.PriceError, ValueError))
        self.refused(lambda: prices.parse_cents("1x"), prices.PriceError, "'1x' is not a price")
        self.refused(lambda: prices.share(1, 0), ValueError, "there is nobody to share with")
        self.refused(
            lambda: prices.discount(1, 2), ValueError, "the discount is not between 0 and the price"
        )
        self.assertEqual(prices.first_price([2]), 2)
        self.assertEqual(prices.first_price([]), 0)
        self.assertRaises(TypeError, prices.first_price, ["x"])
        self.assertRaises(TypeError, prices.first_price, 5)


class PointTest(Refusing):
    def test_attributes(self) -> None:
        point = shapes.Point(3, y=4)
        self.assertEqual((point.x, point.y, point.length), (3, 4, 5))
        point.x = 0
        point.move(dx=1)
        self.assertEqual(repr(point), "Point(1.0, 4.0)")
        self.refused(lambda: delattr(point, "x"), TypeError, "cannot delete attribute 'x'")
        for name in ("length", "other"):
            self.assertRaises(AttributeError, setattr, point, name, 1)
        self.assertRaises(TypeError, setattr, shapes.Point, "other", 1)

    def test_operators(self) -> None:
        a, b = shapes.Point(1, 2), shapes.Point(3, 4)
        self.assertEqual(a + b, shapes.Point(4, 6))
        self.assertEqual((a * 2, 2 * a, a * b), (shapes.Point(2, 4), shapes.Point(2, 4), 11))
        self.assertNotEqual(a, b)
        self.assertNotEqual(a, (1, 2))
        self.assertEqual(len({a, shapes.Point(1, 2)}), 1)
        for wrong in (lambda: a + 1, lambda: a * None, lambda: a < b, lambda: a - b):
            self.assertRaises(TypeError, wrong)
        same = a
        a += b
        self.assertIs(a, same)
        self.assertEqual(a.x, 4)

    def test_copies(self) -> None:
        a = shapes.Point(1, 2)
        for other in (pickle.loads(pickle.dumps(a)), copy.copy(a), copy.deepcopy(a)):
            self.assertEqual(other, a)
            self.assertIsNot(other, a)

    def test_subclass(self) -> None:
        class Named(shapes.Point):
            pass

        self.assertIs(type(Named.polar(1, 0)), Named)
        self.assertIs(type(Named.origin()), shapes.Point)
        self.assertIs(type(Named(1, 2) + Named(1, 2)), shapes.Point)

        class Forgets(shapes.Point):
            def __init__(self) -> None:
                pass

        self.assertEqual(Forgets(), shapes.Point())


class PathTest(Refusing):
    def test_sequence(self) -> None:
        path = shapes.Path(shapes.Point(1, 2), shapes.Point(3, 4))
        self.assertEqual(len(path), 2)
        self.assertEqual(list(path), [shapes.Point(1, 2), shapes.Point(3, 4)])
        self.assertEqual(path[-1], shapes.Point(3, 4))
        self.assertRaises(IndexError, path.__getitem__, 2)
        self.assertRaises(TypeError, path.__getitem__, slice(1))
        path[0].x = 99
        self.assertEqual(path[0].x, 1, "items are copies")

    def test_arguments(self) -> None:
        self.refused(lambda: shapes.Path(1), TypeError, "a path is made of points, not of int")
        self.refused(lambda: shapes.Path(a=1), TypeError, "Path() takes no keyword arguments")

    def test_buffer(self) -> None:
        view = memoryview(shapes.Path(shapes.Point(1, 2), shapes.Point(3, 4)))
        self.assertEqual((view.shape, view.format, view.readonly), ((2, 2), "d", True))
        self.assertEqual(view.tolist(), [[1, 2], [3, 4]])


class CollectedTest(unittest.TestCase):
    def test_label(self) -> None:
        label = shapes.Label("x")
        label.add_note("a note")
        label.extra = 1
        self.assertEqual((list(label), label[0]), (["a note"], "a note"))
        self.assertEqual((label.text, label.extra), ("x", 1))
        with self.assertRaises(TypeError):
            label.text = 1

    def test_cycles_are_collected(self) -> None:
        class Marked:
            pass

        def cycles() -> list[weakref.ref[Marked]]:
            marks = [Marked(), Marked()]
            label = shapes.Label("x")
            label.add_note(label)
            label.add_note(marks[0])
            watcher = shapes.Watcher(lambda _: (marks[1], watcher))
            return [weakref.ref(mark) for mark in marks]

        marks = cycles()
        gc.collect()
        self.assertEqual([mark() for mark in marks], [None, None])

    def test_watcher(self) -> None:
        self.assertEqual(shapes.Watcher(str.upper).notify("news"), "NEWS")

        class Forgets(shapes.Watcher):
            def __init__(self) -> None:
                pass

        with self.assertRaisesRegex(TypeError, r"not initialised.*super\(\)\.__init__\(\)"):
            Forgets().notify(1)


class InheritanceTest(unittest.TestCase):
    def test_of_cpp(self) -> None:
        circle = shapes.Circle(2)
        circle.color = 3
        self.assertEqual((circle.radius, circle.color), (2, 3))
        self.assertIsInstance(circle, shapes.Shape)

    def test_of_python(self) -> None:
        class Square(shapes.Shape):
            def name(self) -> str:
                return "square"

        self.assertEqual(Square().describe(), "a shape called square")
        with self.assertRaises(AttributeError):
            shapes.Shape().describe()


class StorageTest(unittest.TestCase):
    def test_shared(self) -> None:
        root = shapes.Node(1)
        child = root.add(2)
        parent = child.parent
        self.assertIsNot(parent, root)
        parent.value = 5
        self.assertEqual(root.value, 5)
        self.assertIs(weakref.ref(root)(), root)
        del root, parent
        self.assertIsNone(child.parent)

    def test_reference(self) -> None:
        board = shapes.Board()
        marker = board.put(shapes.Point(1, 1))
        for i in range(100):
            board.put(shapes.Point(i, i))
        del board
        gc.collect()
        self.assertEqual(marker.at, shapes.Point(1, 1))
        marker.at = shapes.Point(2, 2)
        self.assertEqual(marker.at, shapes.Point(2, 2))
        self.assertRaises(TypeError, shapes.Marker)
        self.assertRaises(TypeError, type, "Derived", (shapes.Marker,), {})

    def test_iterator(self) -> None:
        self.assertEqual(list(shapes.Countdown(3)), [3, 2, 1])
        self.assertRaises(StopIteration, next, shapes.Countdown(0))


if __name__ == "__main__":
    unittest.main()
