"""The polygons subject: what it makes of its sides' samples."""

import types
import unittest

import bench_path  # noqa: F401
import polygons
from harness.errors import BenchError


def sample(ms, *libraries, areas=(1.0, 2.0), python="CPython 3.14.8"):
    return {"ms": ms, "first_ms": 10 * ms, "areas": list(areas), "with": [*libraries, python]}


def samples(**sides):
    found = {
        "base": [sample(100, "NumPy 2.4")],
        "step3": [sample(0.5, "NumPy 2.4")],
        "pyo3": [sample(1, "PyO3 0.28", "NumPy 2.4")],
        "pypy": [sample(0.25, python="PyPy 8.0")],
    }
    return found | sides


def context(found):
    return types.SimpleNamespace(
        python="CPython 3.14.8", once=lambda key, make: found, method=lambda text: text
    )


class Rows(unittest.TestCase):
    def test_peers_are_called_by_library_and_interpreter(self):
        row = polygons.than_pyo3(context(samples()))
        self.assertEqual(row.tenure, 0.5)
        self.assertEqual(row.peers, {"PyO3 0.28, nothing allocated, CPython 3.14.8": 1})

    def test_peers_that_are_missing_are_left_out(self):
        row = polygons.others(context(samples()))
        self.assertEqual(row.peers, {"no NumPy, PyPy 8.0": 0.25})
        self.assertEqual(row.speedup, {"no NumPy, PyPy 8.0": 0.5})

    def test_method_has_the_ratios_to_the_base(self):
        method = polygons.step3(context(samples())).method
        self.assertIn("base 1, step3 200, pyo3 100, pypy 400", method)
        self.assertIn("of the first iteration: pypy 2", method)


class Check(unittest.TestCase):
    def test_all_have_to_find_the_same(self):
        polygons._check(samples())
        polygons._check(samples(pypy=[sample(1, areas=(1.0, 2.0 + 1e-12))]))
        for areas in ((1.0, 2.0 + 1e-6), (1.0,), (2.0, 1.0)):
            with self.subTest(areas), self.assertRaisesRegex(BenchError, "pypy"):
                polygons._check(samples(pypy=[sample(1, areas=(1.0, 2.0)), sample(1, areas=areas)]))


if __name__ == "__main__":
    unittest.main()
