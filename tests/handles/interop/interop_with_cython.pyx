from libcpp cimport bool
from tenure_handles cimport translate_current_exception

cdef extern from "tenure/tests/handles/interop/cython_functions.h" namespace "tenure::testing":
    object cython_borrow(object)
    object cython_own(object)
    object cython_exception(object)
    object cython_fail_with_result()
    object cython_fail_with_nothing(bool)
    object cython_fail_with_exception()
    int throw_out_of_range() except +translate_current_exception
    int throw_key_error() except +translate_current_exception


def borrow(object_, /):
    return cython_borrow(object_)


def own(object_, /):
    return cython_own(object_)


def exception(error, /):
    return cython_exception(error)


def fail_with_result():
    return cython_fail_with_result()


def fail_with_nothing(fail):
    return cython_fail_with_nothing(fail)


def fail_with_exception():
    return cython_fail_with_exception()


def fail_with_out_of_range():
    return throw_out_of_range()


def fail_with_key_error():
    return throw_key_error()
