// Dropping many references at once.
//
// Not for: a reference or two. Py_DECREF() and the handles do those.
//
// Thread safety: attached.
#ifndef TENURE_CORE_ABI_DROP_H_
#define TENURE_CORE_ABI_DROP_H_

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Whether the end of every object is told to somebody, tracemalloc's like (PyRefTracer).
inline bool ends_are_traced() {
  void* data = nullptr;
  return PyRefTracer_GetTracer(&data) != nullptr;
}

// Py_DECREF() while no ends are traced: what the interpreter does besides at the end of an object
// that the collector does not know is to tell that. Steals. False if the object lives on, so that
// no code of anybody's has run.
inline bool decref_untraced(PyObject* object) {
#if defined(Py_GIL_DISABLED) || defined(Py_DEBUG) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
  Py_DECREF(object);
#else
  if (_Py_IsImmortal(object) || --object->ob_refcnt != 0) return false;
  PyTypeObject* const type = Py_TYPE(object);
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0) {
    _Py_Dealloc(object);
  } else {
    type->tp_dealloc(object);
  }
#endif
  return true;
}

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_DROP_H_
