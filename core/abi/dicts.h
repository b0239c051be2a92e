// What dicts are and give back, which differs between versions.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_DICTS_H_
#define TENURE_CORE_ABI_DICTS_H_

#include <cstdint>

#include "tenure/core/abi/python.h"

// Declared only in an internal header that C++ cannot include; exported since 3.13. Steals the
// items in any case.
extern "C" PyObject* _PyTuple_FromArraySteal(PyObject* const* items, Py_ssize_t count);

namespace tenure::abi {

// The built-in frozendict; null before CPython 3.15. Borrowed.
inline PyTypeObject* frozendict_type() {
#if PY_VERSION_HEX >= 0x030f0000
  return &PyFrozenDict_Type;
#else
  return nullptr;
#endif
}

// A dict or a frozendict, or of a subclass: what PyDict_Next() and PyDict_GetItemRef() take.
inline bool is_any_dict(PyObject* object) {
  return PyDict_Check(object) ||
         (frozendict_type() != nullptr && PyObject_TypeCheck(object, frozendict_type()));
}

// Exactly a dict or a frozendict.
inline bool is_exactly_any_dict(PyObject* object) {
  return PyDict_CheckExact(object) ||
         (frozendict_type() != nullptr && Py_IS_TYPE(object, frozendict_type()));
}

// A tuple of two, for an iterator that gives one after the other: `kept` if nobody else has that,
// else a new one. New reference; null with a Python error set. Requires: `kept` is a tuple of two.
inline PyObject* pair(PyObject* kept, PyObject* first, PyObject* second) {
#ifndef Py_GIL_DISABLED
  if (Py_REFCNT(kept) == 1) {
    Py_INCREF(kept);
    PyObject* old_first = PyTuple_GET_ITEM(kept, 0);
    PyObject* old_second = PyTuple_GET_ITEM(kept, 1);
    PyTuple_SET_ITEM(kept, 0, Py_NewRef(first));
    PyTuple_SET_ITEM(kept, 1, Py_NewRef(second));
#if PY_VERSION_HEX >= 0x030e0000
    reinterpret_cast<PyTupleObject*>(kept)->ob_hash = -1;
#endif
    // The collector lets go of a tuple that refers to nothing of interest: then the first of the
    // two words of its head is 0. What PyObject_GC_IsTracked() looks at, without the call.
    if (reinterpret_cast<const uintptr_t*>(kept)[-2] == 0) PyObject_GC_Track(kept);
    // Last: it may run any code.
    Py_DECREF(old_first);
    Py_DECREF(old_second);
    return kept;
  }
#endif
  PyObject* const items[] = {Py_NewRef(first), Py_NewRef(second)};
  return _PyTuple_FromArraySteal(items, 2);
}

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_DICTS_H_
