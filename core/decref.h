// A decref on nobody's behalf: what its destructor raises has no caller to go to.
//
// Thread state: attached.
#ifndef TENURE_CORE_DECREF_H_
#define TENURE_CORE_DECREF_H_

#include "tenure/core/abi/thread.h"

namespace tenure {

// Steals. CPython reports what Python destructors raise; an error that one written in C leaves set
// is reported as unraisable here, so that it poisons nothing else. Requires: no error is set;
// `state` is this thread's, which one who drops many asks for once.
inline void decref_reporting(PyObject* object, PyThreadState* state) {
  Py_DECREF(object);
  if (abi::has_error(state)) [[unlikely]] {
    PyErr_WriteUnraisable(nullptr);
  }
}

}  // namespace tenure

#endif  // TENURE_CORE_DECREF_H_
