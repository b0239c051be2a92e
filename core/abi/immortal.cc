#include "tenure/core/abi/immortal.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "tenure/core/abi/layout.h"

// Declared only in an internal header that C++ cannot include; exported since 3.13.
extern "C" void _PyUnicode_InternImmortal(PyInterpreterState* interpreter, PyObject** str);

namespace tenure::abi {
namespace {

// Takes the references to an object out of the total of debug builds: dropping them will not.
void forget_references(PyObject* object) {
#ifdef Py_REF_DEBUG
  for (Py_ssize_t left = Py_REFCNT(object); left > 0; --left) {
    layout::set_count(object, 2);
    Py_DECREF(object);
  }
#else
  (void)object;
#endif
}

bool is_interned(PyObject* str) { return PyUnicode_CHECK_INTERNED(str) != SSTATE_NOT_INTERNED; }

// Debug builds assert that no str is immortal without being interned and, from some version on,
// that the collector knows every dict, which it forgets when it finds it immortal.
bool has_to_stay_mortal(PyObject* object) {
#ifdef Py_DEBUG
  if (PyUnicode_Check(object)) return !is_interned(object);
  return layout::kDictsStayTracked && PyDict_Check(object);
#else
  (void)object;
  return false;
#endif
}

}  // namespace

bool is_immortal(PyObject* object) { return _Py_IsImmortal(object) != 0; }

void make_immortal(PyObject* object) {
  if (PyObject_IS_GC(object) && PyObject_GC_IsTracked(object)) PyObject_GC_UnTrack(object);
  set_immortal_count(object);
}

bool make_live_immortal(PyObject* object) {
  if (is_immortal(object) || has_to_stay_mortal(object)) return true;
  const auto references = static_cast<uint64_t>(Py_REFCNT(object));
  if (PyUnicode_Check(object) && is_interned(object)) {
    // It is in the interpreter's table already, which therefore does not grow.
    PyObject* str = Py_NewRef(object);
    _PyUnicode_InternImmortal(PyInterpreterState_Get(), &str);
    if (str != object || !is_immortal(object)) {
      Py_DECREF(str);
      PyErr_NoMemory();
      return false;
    }
  } else {
    if (PyObject_IS_GC(object) && PyObject_GC_IsTracked(object)) PyObject_GC_UnTrack(object);
    forget_references(object);
  }
  // The interpreter's loop drops references that it counted without asking whether they still do.
  set_immortal_count(object);
  layout::add_to_count(object, std::min(references, layout::kImmortalMargin));
  return true;
}

void set_immortal_count(PyObject* object) {
  for (const Field& field : layout::kHead) {
    if (field.role != FieldRole::kCount) continue;
    std::memcpy(reinterpret_cast<std::byte*>(object) + field.offset, &field.reset, field.bytes);
  }
}

}  // namespace tenure::abi
