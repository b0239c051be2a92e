#include <Python.h>

int f() { return Py_None; }
