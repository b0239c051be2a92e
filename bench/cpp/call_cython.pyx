"""Cython's side of `./dev bench call`."""

import cython

version = f"Cython {cython.__version__}"


def nothing():
    pass


def one(x, /):
    pass


def three(x, y, z):
    pass


def add(double x, double y, double z):
    return x + y + z


@cython.final
cdef class Vector:
    cdef readonly double x
    cdef double y

    def __cinit__(self, double x, double y):
        self.x = x
        self.y = y

    def length2(self):
        return self.x * self.x + self.y * self.y

    def scale(self, double f):
        self.x *= f
        self.y *= f


@cython.final
@cython.freelist(8)
cdef class PooledVector:
    """The same, with objects that ended kept to be made again."""

    cdef readonly double x
    cdef double y

    def __cinit__(self, double x, double y):
        self.x = x
        self.y = y
