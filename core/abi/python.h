// The one way Tenure includes CPython's headers.
#ifndef TENURE_CORE_ABI_PYTHON_H_
#define TENURE_CORE_ABI_PYTHON_H_

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

// What these do ends in the interpreter: no code of anybody else's runs in them, and no exception
// comes out. A compiler that knows needs no landing pad behind them, and can jump to the last one
// of a function instead of calling it. GCC's only: Clang takes the attribute for another type.
#ifndef __clang__
extern "C" {
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyFloat_FromDouble(double);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyLong_FromLong(long);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyLong_FromLongLong(long long);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyLong_FromUnsignedLong(unsigned long);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyLong_FromUnsignedLongLong(unsigned long long);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyUnicode_FromStringAndSize(const char*, Py_ssize_t);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyErr_Occurred();
[[gnu::nothrow]] PyAPI_FUNC(void*) PyObject_Malloc(size_t);
[[gnu::nothrow]] PyAPI_FUNC(void) PyObject_Free(void*);
[[gnu::nothrow]] PyAPI_FUNC(PyObject*) PyObject_Init(PyObject*, PyTypeObject*);
}
#endif

#endif  // TENURE_CORE_ABI_PYTHON_H_
