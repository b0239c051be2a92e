#include "tenure/handles/object.h"

namespace tenure::internal {

Failed fail_wrong_type(const char* expected, PyObject* object) {
  if (Py_IsNone(object)) {
    PyErr_Format(PyExc_TypeError, "must be %s, not None", expected);
  } else {
    // Not %T, which looks for the type's module and fails where there is none.
    PyErr_Format(PyExc_TypeError, "must be %s, not %.200s", expected, Py_TYPE(object)->tp_name);
  }
  return Failed{};
}

PyObject* keyword_names(PyObject* const* names, size_t count) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(count));
  if (tuple == nullptr) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), Py_NewRef(names[i]));
  }
  return tuple;
}

}  // namespace tenure::internal
