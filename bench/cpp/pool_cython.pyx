"""Cython's side of `./dev bench pool/create`: each class with a freelist, and without."""

import cython

version = f"Cython {cython.__version__}"


# As many as are alive at once in the benchmark, and some.
@cython.freelist(1100)
cdef class Point:
    cdef readonly double x
    cdef double y

    def __cinit__(self, double x, double y):
        self.x = x
        self.y = y


@cython.freelist(1100)
cdef class Node:
    cdef readonly object held

    def __cinit__(self, held):
        self.held = held
