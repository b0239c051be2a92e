// The one way Tenure includes CPython's headers.
#ifndef TENURE_CORE_ABI_PYTHON_H_
#define TENURE_CORE_ABI_PYTHON_H_

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#endif  // TENURE_CORE_ABI_PYTHON_H_
