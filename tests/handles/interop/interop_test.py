"""Our handles in modules of other binding libraries: references are the same before and after."""

from __future__ import annotations

import importlib
import sys
import unittest

sys.path.insert(0, "tests/handles/interop")


def references_after(function, make):
    """How many more references there are to what the function was given and gave back, many times."""
    value = make()
    before = sys.getrefcount(value)
    for _ in range(100):
        if function(value) is not value:
            raise AssertionError("another object")
    return sys.getrefcount(value) - before


class Base:
    MODULE: str
    PASSING = ("borrow", "own")
    PASSING_EXCEPTIONS = ("exception",)

    def setUp(self):
        self.module = importlib.import_module(self.MODULE)

    def test_references(self):
        for name in self.PASSING:
            with self.subTest(name):
                self.assertEqual(references_after(getattr(self.module, name), object), 0)
        for name in self.PASSING_EXCEPTIONS:
            with self.subTest(name):
                self.assertEqual(references_after(getattr(self.module, name), ValueError), 0)

    def test_the_only_reference(self):
        class Sample:
            def __del__(self):
                deaths.append(1)

        for name in self.PASSING:
            with self.subTest(name):
                deaths = []
                kept = getattr(self.module, name)(Sample())
                self.assertEqual(deaths, [])
                del kept
                self.assertEqual(deaths, [1])

    def test_other_types(self):
        for name in self.PASSING_EXCEPTIONS:
            with self.subTest(name):
                value = object()
                before = sys.getrefcount(value)
                for _ in range(10):
                    with self.assertRaises(TypeError):
                        getattr(self.module, name)(value)
                self.assertEqual(sys.getrefcount(value), before)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "^by a result$"):
            self.module.fail_with_result()
        with self.assertRaisesRegex(LookupError, "^by nothing$"):
            self.module.fail_with_nothing(True)
        self.assertIsNone(self.module.fail_with_nothing(False))
        with self.assertRaises(KeyError) as raised:
            self.module.fail_with_exception()
        self.assertEqual(raised.exception.args, (None,))


class BindingBase(Base):
    PASSING = ("borrow", "own", "lend", "look", "pass_")
    PASSING_EXCEPTIONS = ("exception", "own_exception", "pass_exception")

    def test_views(self):
        self.assertIs(self.module.matches(KeyError(), LookupError), True)
        self.assertIs(self.module.matches(KeyError(), ValueError), False)
        with self.assertRaisesRegex(TypeError, "exception"):
            self.module.matches(7, ValueError)

    def test_their_errors(self):
        with self.assertRaisesRegex(ValueError, "^theirs$"):
            self.module.fail_with_theirs(True)
        with self.assertRaisesRegex(KeyError, "^'theirs'$"):
            self.module.fail_with_theirs(False)

    def test_borrowing_both_ways(self):
        self.assertTrue(self.module.is_same(object()))

    def test_signatures(self):
        self.assertIn("exception(arg0: exception", self.module.exception.__doc__.replace("arg:", "arg0:"))


class Pybind11Test(BindingBase, unittest.TestCase):
    MODULE = "interop_with_pybind11"

    def test_none(self):
        self.assertIsNone(self.module.borrow(None))


class NanobindTest(BindingBase, unittest.TestCase):
    MODULE = "interop_with_nanobind"


class CythonTest(Base, unittest.TestCase):
    MODULE = "interop_with_cython"

    def test_translation(self):
        with self.assertRaisesRegex(IndexError, "^thrown$"):
            self.module.fail_with_out_of_range()
        with self.assertRaises(KeyError):
            self.module.fail_with_key_error()


if __name__ == "__main__":
    unittest.main()
