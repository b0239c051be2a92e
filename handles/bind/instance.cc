#include "tenure/handles/bind/instance.h"

namespace tenure::bind {

bool has_base_with(PyTypeObject* type, destructor dealloc) {
  for (PyTypeObject* base = type->tp_base; base != nullptr; base = base->tp_base) {
    if (base->tp_dealloc == dealloc) return true;
  }
  return false;
}

PyObject* refuse_self(PyObject* self) {
  PyErr_Format(PyExc_TypeError,
               "this '%.200s' object is not initialised: a class that derives from it has to call "
               "super().__init__()",
               Py_TYPE(self)->tp_name);
  return nullptr;
}

PyObject* refuse_init(PyObject* self, Made made) {
  PyErr_Format(PyExc_TypeError, "this '%.200s' object is %s", Py_TYPE(self)->tp_name,
               made == Made::kBeing ? "being initialised" : "initialised already");
  return nullptr;
}

PyObject* refuse_lent(PyObject* self) {
  PyErr_Format(PyExc_BufferError, "the memory of this '%.200s' object is lent",
               Py_TYPE(self)->tp_name);
  return nullptr;
}

PyObject* refuse_nothing(PyTypeObject* type) {
  PyErr_Format(PyExc_TypeError, "nothing was made for '%.200s'", type->tp_name);
  return nullptr;
}

PyObject* new_of_builtin(PyTypeObject* type, PyTypeObject* builtin_base) {
  PyObject* const none = PyTuple_New(0);
  if (none == nullptr) return nullptr;
  PyObject* const self = builtin_base->tp_new(type, none, nullptr);
  Py_DECREF(none);
  return self;
}

}  // namespace tenure::bind
