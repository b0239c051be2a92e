#include "tenure/handles/bind/protocols.h"

#include <mutex>
#include <new>

namespace tenure::bind {
namespace {

// Of one view, in the list of all.
struct Extents {
  Py_ssize_t shape[PyBUF_MAX_NDIM];
  Py_ssize_t strides[PyBUF_MAX_NDIM];
  PyObject* owner;
  Extents* next;
  Extents** before;
};

// Interpreters with a GIL of their own lend at the same time. Nothing under it runs Python code.
constinit std::mutex lending;
constinit Extents* first = nullptr;

void enter(Extents& one, PyObject* owner) {
  const std::lock_guard lock(lending);
  one.owner = owner;
  one.next = first;
  one.before = &first;
  if (first != nullptr) first->before = &one.next;
  first = &one;
}

void leave(Extents& one) {
  const std::lock_guard lock(lending);
  *one.before = one.next;
  if (one.next != nullptr) one.next->before = one.before;
}

}  // namespace

int lend(PyObject* self, Py_buffer* view, int flags, void* data, bool is_readonly,
         const char* format, Py_ssize_t item_size, int dimensions, const Py_ssize_t* shape) {
  if (is_readonly && (flags & PyBUF_WRITABLE) == PyBUF_WRITABLE) {
    PyErr_SetString(PyExc_BufferError, "Object is not writable.");
    return -1;
  }
  if (dimensions > 1 && (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS) {
    PyErr_SetString(PyExc_BufferError, "the elements are in C's order, not Fortran's");
    return -1;
  }
  auto* const extents = new (std::nothrow) Extents;
  if (extents == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  Py_ssize_t bytes = item_size;
  for (int i = dimensions - 1; i >= 0; --i) {
    extents->shape[i] = shape[i];
    extents->strides[i] = bytes;
    bytes *= shape[i];
  }
  enter(*extents, self);
  view->buf = data;
  view->obj = Py_NewRef(self);
  view->len = bytes;
  view->readonly = is_readonly ? 1 : 0;
  view->itemsize = item_size;
  view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(format) : nullptr;
  view->ndim = dimensions;
  view->shape = (flags & PyBUF_ND) != 0 ? extents->shape : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? extents->strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = extents;
  return 0;
}

void give_back(PyObject* /*self*/, Py_buffer* view) {
  auto* const extents = static_cast<Extents*>(view->internal);
  leave(*extents);
  delete extents;
}

bool is_lent(PyObject* self) {
  const std::lock_guard lock(lending);
  const Extents* one = first;
  while (one != nullptr && one->owner != self) one = one->next;
  return one != nullptr;
}

PyObject* reduce(PyObject* self, PyObject* arguments) {
  if (arguments == nullptr) return nullptr;
  PyObject* tuple = arguments;
  if (!PyTuple_Check(arguments)) {
    tuple = PyTuple_Pack(1, arguments);
    Py_DECREF(arguments);
    if (tuple == nullptr) return nullptr;
  }
  PyObject* dict = nullptr;
  if (PyObject_GetOptionalAttrString(self, "__dict__", &dict) < 0) {
    Py_DECREF(tuple);
    return nullptr;
  }
  if (dict == nullptr) return Py_BuildValue("(ON)", Py_TYPE(self), tuple);
  return Py_BuildValue("(ONN)", Py_TYPE(self), tuple, dict);
}

PyObject* refuse_operand(PyObject* self, PyObject* operand) {
  PyErr_Format(PyExc_TypeError, "%.200s indices cannot be %.200s", Py_TYPE(self)->tp_name,
               Py_TYPE(operand)->tp_name);
  return nullptr;
}

}  // namespace tenure::bind
