"""Buffer reads NumPy's arrays of all shapes, and refuses what it does not know."""

from __future__ import annotations

import sys
import unittest

sys.path.insert(0, "tests/handles")

import buffer_of_numpy as buffers

try:
    import numpy as np
except ImportError:  # for one interpreter only
    np = None


@unittest.skipIf(np is None, "this interpreter has no NumPy")
class BufferOfNumpyTest(unittest.TestCase):
    def setUp(self):
        self.numbers = np.arange(12.0).reshape(3, 4)

    def test_strides(self):
        for array in (
            self.numbers,
            self.numbers.T,
            self.numbers[::2, ::-1],
            self.numbers[1:1],
            self.numbers[:, 1:2],
            np.asfortranarray(self.numbers),
            np.broadcast_to(np.float64(3), (2, 5)),
            np.zeros((0, 5)),
            self.numbers[::-1, ::-3],
        ):
            with self.subTest(array.strides):
                self.assertEqual(buffers.sum(array), array.sum())

    def test_contiguous(self):
        self.assertEqual(buffers.sum_contiguous(self.numbers), 66)
        self.assertEqual(buffers.sum_contiguous(self.numbers[1:]), self.numbers[1:].sum())
        self.assertEqual(buffers.sum_contiguous(np.zeros((0, 5))), 0)
        self.assertEqual(buffers.sum_contiguous(np.ones((1, 5))[:, ::1].T), 5)
        for array in (self.numbers.T, self.numbers[:, ::2], np.broadcast_to(np.float64(3), (2, 5))):
            with self.assertRaisesRegex(BufferError, "^expected a C-contiguous buffer$"):
                buffers.sum_contiguous(array)

    def test_same_type_by_other_names(self):
        for name in ("int64", "long", "longlong", "<i8", "=i8"):
            with self.subTest(name):
                self.assertEqual(buffers.sum_int64(np.ones((2, 2), dtype=name)), 4)
        self.assertEqual(buffers.sum_long_double(np.ones((2, 2), dtype="longdouble")), 4)
        self.assertEqual(buffers.sum_of_complex(np.array([1 + 2j, 3j])), 1 + 5j)
        self.assertEqual(buffers.count(np.array([True, False, True])), 2)

    def test_other_types(self):
        for name, got in (
            ("float32", "2 dimensions of float32"),
            ("float16", "2 dimensions of float16"),
            ("int64", "2 dimensions of int64"),
            ("uint8", "2 dimensions of uint8"),
            ("complex128", "2 dimensions of complex128"),
            (">f8", "2 dimensions of byte-swapped float64"),
            ("longdouble", "2 dimensions of float128"),
            ("bool", "2 dimensions of bool"),
            ("S8", "2 dimensions of format '8s'"),
            ([("x", "f8")], "2 dimensions of format 'T{d:x:}'"),
        ):
            with self.subTest(name):
                with self.assertRaises(TypeError) as raised:
                    buffers.sum(np.zeros((2, 2), dtype=name))
                self.assertEqual(
                    str(raised.exception), f"expected a 2-dimensional buffer of float64, got {got}"
                )
        with self.assertRaises((TypeError, ValueError, BufferError)):
            buffers.sum(np.zeros((2, 2), dtype="M8[s]"))
        with self.assertRaises((TypeError, ValueError, BufferError)):
            buffers.sum(np.array([[object()]]))

    def test_other_dimensions(self):
        for array, got in (
            (np.zeros(3), "1 dimension"),
            (np.zeros((1, 1, 1)), "3 dimensions"),
            (np.zeros(()), "0 dimensions"),
        ):
            with self.assertRaisesRegex(TypeError, f"float64, got {got} of float64$"):
                buffers.sum(array)

    def test_writing(self):
        array = np.zeros(10, dtype="float32")
        buffers.fill(array[::3], 2)
        self.assertEqual(array.tolist(), [2, 0, 0] * 3 + [2])
        array.flags.writeable = False
        with self.assertRaises((ValueError, BufferError)):
            buffers.fill(array, 3)

    def test_alignment(self):
        array = np.frombuffer(b"\0" * 33, dtype="u1")[1:].view("f8").reshape(2, 2)
        with self.assertRaisesRegex(BufferError, "not aligned"):
            buffers.sum(array)

    def test_nothing_is_kept(self):
        before = sys.getrefcount(self.numbers)
        for _ in range(100):
            buffers.sum(self.numbers)
            with self.assertRaises(TypeError):
                buffers.sum_int64(self.numbers)
        self.assertEqual(sys.getrefcount(self.numbers), before)


if __name__ == "__main__":
    unittest.main()
