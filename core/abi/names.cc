#include "tenure/core/abi/names.h"

#include <cstdlib>
#include <cstring>

// Declared only in an internal header that C++ cannot include; exported since 3.13.
extern "C" void _PyUnicode_InternImmortal(PyInterpreterState* interpreter, PyObject** str);

namespace tenure::abi {
namespace {

// The size of a str in memory, with the null character at the end.
size_t bytes_of(PyObject* str) {
  const size_t header =
      PyUnicode_IS_COMPACT_ASCII(str) ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
  return header + static_cast<size_t>(PyUnicode_KIND(str)) *
                      (static_cast<size_t>(PyUnicode_GET_LENGTH(str)) + 1);
}

// Never freed. The static mark keeps interpreters from interning it or giving it back.
PyObject* copy_outside(PyObject* str) {
  const size_t bytes = bytes_of(str);
  auto* copy = static_cast<PyASCIIObject*>(std::malloc(bytes));
  if (copy == nullptr) return PyErr_NoMemory();
  std::memcpy(copy, str, bytes);
  // An immortal object's header, whatever is in it.
  copy->ob_base = *Py_None;
  copy->ob_base.ob_type = &PyUnicode_Type;
  copy->state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
  copy->state.statically_allocated = 1;
  if (!PyUnicode_IS_COMPACT_ASCII(str)) {
    auto* compact = reinterpret_cast<PyCompactUnicodeObject*>(copy);
    compact->utf8 = nullptr;
    compact->utf8_length = 0;
  }
  return reinterpret_cast<PyObject*>(copy);
}

}  // namespace

PyObject* new_name(const char* text, size_t bytes, PyObject* substitute) {
  PyObject* str = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(bytes), nullptr);
  if (str == nullptr) return nullptr;
  // Asked for here, so that no interpreter writes to it later.
  if (PyObject_Hash(str) == -1) {
    Py_DECREF(str);
    return nullptr;
  }
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  if (interpreter == PyInterpreterState_Main()) {
    _PyUnicode_InternImmortal(interpreter, &str);
    return str;
  }
  PyUnicode_InternInPlace(&str);
  if (PyUnicode_CHECK_INTERNED(str) == SSTATE_INTERNED_IMMORTAL_STATIC) return str;
  PyObject* copy = substitute != nullptr ? substitute : copy_outside(str);
  Py_DECREF(str);
  return copy;
}

}  // namespace tenure::abi
