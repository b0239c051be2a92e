# For Cython modules that call C++ with our handles; see cython.h beside this.

cdef extern from "tenure/handles/translate.h" namespace "tenure":
    # For `except +translate_current_exception`: sets the Python error for a C++ exception.
    void translate_current_exception() noexcept
