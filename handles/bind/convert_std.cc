#include "tenure/handles/bind/convert_std.h"

namespace tenure::bind {

PyObject* items_of(PyObject* object) {
  if (PyUnicode_Check(object) || PyBytes_Check(object) || PyByteArray_Check(object) ||
      !PySequence_Check(object)) {
    return nullptr;
  }
  return PySequence_Fast(object, "a sequence is expected");
}

void refuse_item(Py_ssize_t index, PyObject* item, const char* expected) {
  PyObject* const cause = PyErr_GetRaisedException();
  if (cause == nullptr) {
    PyErr_Format(PyExc_TypeError, "item %zd: must be %s, not %.200s", index, expected,
                 given_type(item));
    return;
  }
  // Only of kinds whose message is all that they are made of.
  PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(cause));
  if (type != PyExc_TypeError && type != PyExc_ValueError && type != PyExc_OverflowError) {
    PyErr_SetRaisedException(cause);
    return;
  }
  PyErr_Format(type, "item %zd: %S", index, cause);
  Py_DECREF(cause);
}

}  // namespace tenure::bind
