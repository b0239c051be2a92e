#include "tenure/core/abi/code.h"

#include <cstring>

#include "tenure/core/abi/layout.h"
#include "tenure/core/abi/shape.h"

namespace tenure::abi {

bool can_copy_code() { return layout::kCopiesCode; }

bool runs_once(PyObject* code) {
  return (reinterpret_cast<PyCodeObject*>(code)->co_flags & CO_OPTIMIZED) == 0;
}

size_t argument_count(PyObject* object) {
  const auto* code = reinterpret_cast<PyCodeObject*>(object);
  return static_cast<size_t>(code->co_argcount) + static_cast<size_t>(code->co_kwonlyargcount) +
         ((code->co_flags & CO_VARARGS) != 0) + ((code->co_flags & CO_VARKEYWORDS) != 0);
}

bool is_unused(PyObject* object) {
  const auto* code = reinterpret_cast<PyCodeObject*>(object);
  if (code->_co_monitoring != nullptr || code->co_executors != nullptr) return false;
  // The interpreter specialises code that runs and keeps addresses in it. An unused copy tells; one
  // without constants, because copying goes through those as deep as they are nested.
  PyObject* replace = PyObject_GetAttrString(object, "replace");
  PyObject* no_arguments = PyTuple_New(0);
  PyObject* changes = Py_BuildValue("{s()}", "co_consts");
  PyObject* fresh = nullptr;
  if (replace && no_arguments && changes) fresh = PyObject_Call(replace, no_arguments, changes);
  Py_XDECREF(replace);
  Py_XDECREF(no_arguments);
  Py_XDECREF(changes);
  if (fresh == nullptr) {
    if (PyErr_ExceptionMatches(PyExc_MemoryError) == 0) PyErr_Clear();
    return false;
  }
  const bool same =
      std::memcmp(reinterpret_cast<PyCodeObject*>(fresh)->co_code_adaptive, code->co_code_adaptive,
                  static_cast<size_t>(Py_SIZE(object)) * kCodeUnitBytes) == 0;
  Py_DECREF(fresh);
  return same;
}

void set_code_version(void* code, uint32_t version) {
  static_cast<PyCodeObject*>(code)->co_version = version;
}

uint32_t code_version(const void* code) {
  return static_cast<const PyCodeObject*>(code)->co_version;
}

}  // namespace tenure::abi
