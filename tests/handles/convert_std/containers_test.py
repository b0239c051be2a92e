"""The standard library's containers as arguments and answers."""

import sys
import unittest

sys.path.insert(0, "tests/handles/convert_std")

import containers  # noqa: E402


class Shrinking:
    def __init__(self, owner):
        self.owner = owner

    def __float__(self):
        self.owner.clear()
        return 1.0


class Containers(unittest.TestCase):
    def check(self, function, *values):
        for value in values:
            with self.subTest(value=value):
                self.assertEqual(function(value), value)

    def test_come_back_as_they_went(self):
        self.check(containers.string, "", "é", "a\0b", "x" * 100_000)
        self.check(containers.vector, [], [1.5], [float(i) for i in range(10_000)])
        self.check(containers.pair, (1, "a"))
        self.check(containers.tuple, (1, 2.5, True))
        self.check(containers.map, {}, {"a": 1, "b": 2})
        self.check(containers.unordered_map, {}, {1: "a", -2: ""})
        self.check(containers.set, set(), {1, 2, 3})
        self.check(containers.unordered_set, {"a", "b"})
        self.check(containers.complex, 1 + 2j, 3.0)
        self.check(containers.nested, {"a": [(1, 2.0), (3, 4.0)], "b": []})
        self.check(containers.optional, None, [], [1, 2])
        self.check(containers.variant, 1, "a", [1.0])

    def test_sequences_of_any_type(self):
        self.assertEqual(containers.vector((1, 2)), [1.0, 2.0])
        self.assertEqual(containers.vector(range(3)), [0.0, 1.0, 2.0])
        self.assertEqual(containers.array([1, 2, 3]), (1, 2, 3))
        self.assertEqual(containers.set(frozenset({1})), {1})
        self.assertEqual(containers.late(["ab", [1, 2, 3]]), 5)

    def test_text_is_no_sequence(self):
        for value in ("12", b"12", bytearray(b"12"), 5, None, {1.0}, iter([1.0])):
            with self.subTest(value=value), self.assertRaisesRegex(
                TypeError, r"^vector\(\) argument 'numbers' must be sequence, not "
            ):
                containers.vector(value)

    def test_say_which_item(self):
        with self.assertRaisesRegex(TypeError, "^item 1: must be real number, not str$"):
            containers.vector([1, "a"])
        with self.assertRaisesRegex(TypeError, r"^item 0: item 2: item 0: 'str' object cannot"):
            containers.nested({"a": [(1, 2), (3, 4), ("x", 1)]})
        with self.assertRaisesRegex(OverflowError, "^item 2: .* out of range"):
            containers.array([1, 2, 2**40])
        with self.assertRaisesRegex(TypeError, "^item 0: must be str, not int$"):
            containers.map({1: 1})

    def test_count(self):
        for value in ([], [1, 2], [1, 2, 3, 4]):
            with self.subTest(value=value), self.assertRaisesRegex(ValueError, "^3 items are exp"):
                containers.array(value)

    def test_variants_in_order(self):
        self.assertEqual(containers.kind(True), "int")
        self.assertEqual(containers.kind("a"), "str")
        self.assertEqual(containers.kind([]), "list")
        with self.assertRaises(OverflowError):
            containers.kind(2**40)
        with self.assertRaises(TypeError):
            containers.kind(1.5)

    def test_a_list_that_shrinks_meanwhile(self):
        numbers = []
        numbers.extend([Shrinking(numbers)] + [2.0] * 1000)
        self.assertEqual(containers.vector(numbers), [1.0])

    def test_errors_of_items_come_through(self):
        class Failing:
            def __float__(self):
                raise ZeroDivisionError("no")

        with self.assertRaisesRegex(ZeroDivisionError, "^no$"):
            containers.vector([1.0, Failing()])

    @unittest.skipUnless(hasattr(sys, "gettotalrefcount"), "only debug interpreters count")
    def test_no_reference_is_left(self):
        def body():
            containers.nested({"a": [(1, 2.0)], "b": []})
            for wrong in ({"a": [(1, "x")]}, {"a": [(1,)]}, {1: []}):
                try:
                    containers.nested(wrong)
                except (TypeError, ValueError):
                    pass

        for _ in range(10):
            body()
        before = sys.gettotalrefcount()
        for _ in range(100):
            body()
        self.assertLess(sys.gettotalrefcount() - before, 20)


if __name__ == "__main__":
    unittest.main()
