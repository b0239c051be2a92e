"""The polygons example: every variant finds what the base finds, and refuses what is no polygon."""

from __future__ import annotations

import gc
import importlib
import json
import shutil
import subprocess
import sys
import unittest
from array import array
from pathlib import Path
from typing import Any

try:
    import numpy as np
except ImportError:
    np = None
try:
    import numba
except ImportError:
    numba = None

FOLDER = Path.cwd() / "examples" / "polygons"
sys.path.insert(0, str(FOLDER))

import measure

NEEDS_NUMPY = unittest.skipUnless(np, "NumPy is not there for this interpreter")


@NEEDS_NUMPY
class ResultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.expected = measure.load(measure.BASE)()

    def check(self, areas: list[float]) -> None:
        self.assertEqual(measure.differences(areas, self.expected), 0)

    def test_base(self) -> None:
        self.assertEqual(len(self.expected), 100)
        self.assertGreater(len(set(self.expected)), 50, "what is found depends on the point")

    def test_steps(self) -> None:
        for step in ("step1", "step2", "step3"):
            with self.subTest(step):
                self.check(measure.load(step)())

    @unittest.skipUnless(numba, "Numba is not there for this interpreter")
    def test_numba(self) -> None:
        for name in ("numba", "numba_arrays"):
            with self.subTest(name):
                self.check(measure.load(name)())


class WithoutNumpyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.areas = measure.load("lists")()

    @NEEDS_NUMPY
    def test_finds_what_the_base_finds(self) -> None:
        self.assertEqual(measure.differences(self.areas, measure.load(measure.BASE)()), 0)

    @unittest.skipUnless(shutil.which("pypy3"), "PyPy is not there")
    def test_pypy(self) -> None:
        argv = ["pypy3", "-B", FOLDER / "measure.py", "lists", "--json", "--seconds", "0"]
        shown = subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout
        self.assertEqual(measure.differences(json.loads(shown)["areas"], self.areas), 0)

    def test_steps_take_any_array(self) -> None:
        x, y = array("d", [0, 2, 2, 0]), array("d", [1, 1, 3, 3])
        for step in ("step2", "step3"):
            extension: Any = importlib.import_module(f"polygons_{step}")
            poly = extension.Polygon(x, y)
            for point, found in (((1, 2), [poly]), ((1, 20), [])):
                with self.subTest(step, point=point):
                    point = array("d", point)
                    self.assertEqual(extension.find_close_polygons([poly], point, 10), found)

    def test_differences_are_found(self) -> None:
        areas = [1.0, 2.0, 3.0]
        self.assertEqual(measure.differences([1.0, 2.0, 3.0 + 1e-7], areas), 1)
        self.assertEqual(measure.differences([1.0, 2.0, 3.0 + 1e-12], areas), 0)
        self.assertEqual(measure.differences([1.0, 2.0], areas), 1)


class StepTests:
    """Of every step."""

    STEP = ""

    def setUp(self) -> None:
        self.extension: Any = importlib.import_module(f"polygons_{self.STEP}")
        self.find = self.extension.find_close_polygons
        python: Any = importlib.import_module(f"poly_match_{self.STEP}")
        kind = getattr(python, "Polygon", None) or importlib.import_module("poly_match").Polygon
        x, y = np.array([0.0, 2.0, 2.0, 0.0]), np.array([1.0, 1.0, 3.0, 3.0])
        self.near, self.far = kind(x, y), kind(x + 50, y)
        self.point = np.array([1.0, 2.0])

    def test_what_is_near_comes_in_order_and_is_the_same_object(self) -> None:
        polygons = [self.near, self.far, self.near]
        found = self.find(polygons, self.point, 10.0)
        self.assertEqual(len(found), 2)
        self.assertTrue(all(poly is self.near for poly in found))
        self.assertEqual(self.find(polygons, self.point, 100.0), polygons)
        self.assertEqual(self.find([], self.point, 10.0), [])
        self.assertEqual(len(polygons), 3)

    def test_the_distance_itself_is_not_near(self) -> None:
        point = np.array([1.0, 12.0])
        self.assertEqual(self.find([self.near], point, 10.0), [])
        self.assertEqual(self.find([self.near], point, 10.001), [self.near])
        for max_dist in (0.0, -1.0, float("nan")):
            self.assertEqual(self.find([self.near], self.point, max_dist), [])

    def test_names_of_arguments(self) -> None:
        found = self.find(max_dist=10, point=self.point, polygons=[self.near, self.far])
        self.assertEqual(found, [self.near])

    def test_points_of_any_layout(self) -> None:
        read_only = np.array([1.0, 2.0])
        read_only.flags.writeable = False
        strided, backwards = np.array([1.0, 9.0, 2.0, 9.0])[::2], np.array([2.0, 1.0])[::-1]
        for point in (strided, backwards, read_only):
            self.assertEqual(self.find([self.near, self.far], point, 10.0), [self.near])

    def test_points_that_are_none(self) -> None:
        """Each is refused in words that say what is wrong with it."""
        for point, said in (
            (np.array([1.0, 2.0], dtype=np.float32), "float32"),
            (np.array([1, 2]), "int64"),
            (np.array([1.0, 2.0], dtype=">f8"), "float64"),
            (np.array([[1.0, 2.0]]), "2 dimensions"),
            (np.array([1.0, 2.0, 3.0]), "two elements, not 3"),
            (np.array([1.0]), "two elements, not 1"),
            (None, "NoneType"),
            ("12", "str"),
            ((1.0, 2.0), "tuple"),
        ):
            with self.subTest(said), self.assertRaisesRegex((TypeError, ValueError), said):
                self.find([self.near], point, 10.0)

    def test_what_is_no_polygon(self) -> None:
        for other in (None, 1.5, "polygon", object()):
            with self.subTest(other), self.assertRaises((TypeError, AttributeError)):
                self.find([self.near, other], self.point, 10.0)

    def test_arguments_that_will_not_do(self) -> None:
        for arguments in (
            ({self.near: 1}, self.point, 10.0),
            (None, self.point, 10.0),
            ([self.near], self.point, "10"),
            ([self.near], self.point),
            ([self.near], self.point, 10.0, 10.0),
        ):
            with self.subTest(arguments), self.assertRaises(TypeError):
                self.find(*arguments)

    def test_nothing_leaks(self) -> None:
        polygons = [self.near, self.far]
        broken = [self.near, None]

        def use() -> None:
            self.find(polygons, self.point, 10.0)
            try:
                self.find(broken, self.point, 10.0)
            except (TypeError, AttributeError):
                return
            self.fail("None is no polygon")

        def counts() -> list[int]:
            gc.collect()
            kept = (self.near, self.far, self.point, polygons, broken)
            return [sys.getrefcount(item) for item in kept]

        use()
        before = counts()
        for _ in range(100):
            use()
        self.assertEqual(counts(), before)


@NEEDS_NUMPY
class Step1Test(StepTests, unittest.TestCase):
    """Its polygons are anybody's objects."""

    STEP = "step1"

    def test_centers_that_are_none(self) -> None:
        for center in (np.zeros((2, 2)), np.zeros(2, dtype=np.int64), np.zeros(3), None):
            self.near.center = center
            with self.subTest(center), self.assertRaises((TypeError, ValueError)):
                self.find([self.near], self.point, 1.0)

    def test_error_of_a_center(self) -> None:
        class Broken:
            @property
            def center(self) -> None:
                raise ZeroDivisionError("no corners")

        with self.assertRaisesRegex(ZeroDivisionError, "no corners"):
            self.find([Broken()], self.point, 1.0)

    def test_list_that_changes_meanwhile(self) -> None:
        """Asking for a center runs code of the program, which may do anything."""
        polygons: list[Any] = []

        class Clearing:
            @property
            def center(self) -> Any:
                polygons.clear()
                return np.zeros(2)

        polygons += [Clearing() for _ in range(10)]
        self.assertEqual(len(self.find(polygons, np.zeros(2), 1.0)), 1)


class ClassTests(StepTests):
    """Of the steps whose polygons are in C++."""

    def test_attributes(self) -> None:
        x, y = np.array([0.0, 2.0, 2.0]), np.array([1.0, 1.0, 4.0])
        poly = self.extension.Polygon(x, y)
        # It has copies.
        x[0] = y[0] = 99
        np.testing.assert_array_equal(poly.x, [0, 2, 2])
        np.testing.assert_array_equal(poly.y, [1, 1, 4])
        np.testing.assert_allclose(poly.center, [4 / 3, 2], rtol=1e-15)
        with self.assertRaises(AttributeError):
            poly.center = np.zeros(2)

    def test_subclass(self) -> None:
        class Named(self.extension.Polygon):  # type: ignore[misc]
            def __init__(self, x: Any, y: Any, name: str = "it") -> None:
                super().__init__(x, y)
                self.name = name

            def describe(self) -> str:
                return f"{self.name} of {len(self.x)}"

        named = Named(np.ones(3), np.ones(3), name="one")
        self.assertEqual(named.describe(), "one of 3")
        self.assertEqual(self.find([named, self.far], self.point, 2.0), [named])

    def test_subclass_that_forgets_the_rest(self) -> None:
        class Forgetful(self.extension.Polygon):  # type: ignore[misc]
            def __init__(self) -> None:
                pass

        with self.assertRaisesRegex(TypeError, "Forgetful.*__init__"):
            self.find([Forgetful()], self.point, 1.0)
        with self.assertRaisesRegex(TypeError, "Forgetful.*__init__"):
            _ = Forgetful().center

    def test_arrays_that_will_not_do(self) -> None:
        good = np.zeros(3)
        for other, said in (
            (np.zeros(3, dtype=np.float32), "float32"),
            (np.zeros(3, dtype=np.int64), "int64"),
            (np.zeros((3, 2)), "2 dimensions"),
            (np.zeros(4), "different lengths"),
            ([0.0, 1.0, 2.0], "list"),
        ):
            for x, y in ((good, other), (other, good)):
                with self.subTest(said), self.assertRaisesRegex((TypeError, ValueError), said):
                    self.extension.Polygon(x, y)
        with self.assertRaisesRegex(ValueError, "corners"):
            self.extension.Polygon(np.zeros(0), np.zeros(0))

    def test_polygons_of_python_are_others(self) -> None:
        poly = importlib.import_module("poly_match").Polygon(np.zeros(3), np.zeros(3))
        with self.assertRaisesRegex(TypeError, "Polygon"):
            self.find([poly], self.point, 1.0)


@NEEDS_NUMPY
class Step2Test(ClassTests, unittest.TestCase):
    STEP = "step2"


@NEEDS_NUMPY
class Step3Test(ClassTests, unittest.TestCase):
    STEP = "step3"


if __name__ == "__main__":
    unittest.main()
