#include "tenure/core/abi/strings.h"

#include "tenure/core/abi/immortal.h"
#include "tenure/core/abi/layout.h"

// Declared only in an internal header that C++ cannot include; exported since 3.13.
extern "C" void _PyUnicode_InternImmortal(PyInterpreterState* interpreter, PyObject** str);

namespace tenure::abi {
namespace {

// Looks through the collector's objects for the dict that has a str of ours which nobody else can
// have.
struct Search {
  PyObject* probe;
  PyObject* found = nullptr;
  int left = 300'000;
};

int look_at(PyObject* object, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  if (PyDict_CheckExact(object)) {
    PyObject* value = nullptr;
    // The probe's hash is known and equal strings do not exist, so no code but the dict's runs.
    if (PyDict_GetItemRef(object, search.probe, &value) > 0) {
      if (value == search.probe) search.found = object;
      Py_DECREF(value);
    }
  }
  return search.found == nullptr && --search.left > 0;
}

PyObject* intern_into(PyObject* table, PyObject* str) {
  PyObject* canonical = nullptr;
  const int found = PyDict_SetDefaultRef(table, str, str, &canonical);
  if (found < 0) return nullptr;
  if (found == 0) {
    // The table's two references are not counted anyway: str is immortal.
    reinterpret_cast<PyASCIIObject*>(str)->state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
  } else {
    _PyUnicode_InternImmortal(PyInterpreterState_Get(), &canonical);
  }
  return canonical;
}

}  // namespace

PyObject* find_intern_table() {
#ifdef Py_DEBUG
  constexpr bool usable = false;
#else
  constexpr bool usable = layout::kInternTableIsDict;
#endif
  if (!usable) return nullptr;
  Search search{
      PyUnicode_FromFormat("tenure looks for the table of interned strings %p", &look_at)};
  if (search.probe == nullptr) {
    PyErr_Clear();
    return nullptr;
  }
  PyUnicode_InternInPlace(&search.probe);
  PyUnstable_GC_VisitObjects(look_at, &search);
  Py_DECREF(search.probe);
  return search.found;
}

bool is_interned(PyObject* str) { return PyUnicode_CHECK_INTERNED(str) != SSTATE_NOT_INTERNED; }

bool is_interned_here(PyObject* str) {
  return PyUnicode_CHECK_INTERNED(str) == SSTATE_INTERNED_IMMORTAL_STATIC;
}

PyObject* intern_unused(PyObject* str, PyObject* table) {
  if (table != nullptr) return intern_into(table, str);
  auto& state = reinterpret_cast<PyASCIIObject*>(str)->state;
  state.statically_allocated = 0;
  // Two references: one is stolen below, the other keeps an unneeded str from being freed. Made by
  // Py_INCREF, so that the reference total of debug builds comes out even.
  layout::set_count(str, 0);
  Py_INCREF(str);
  Py_INCREF(str);
  PyObject* canonical = str;
  // Gives back a reference to the canonical str, which it makes immortal whichever it is.
  _PyUnicode_InternImmortal(PyInterpreterState_Get(), &canonical);
  const bool interned = is_interned(canonical);
  if (canonical == str && interned) {
    state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
  } else {
    layout::set_count(str, 2);
    Py_DECREF(str);
  }
  state.statically_allocated = 1;
  set_immortal_count(str);
  if (!interned) {
    PyErr_NoMemory();
    return nullptr;
  }
  return canonical;
}

PyObject* intern_text(const char* text, size_t bytes) {
  PyObject* str = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(bytes), "surrogatepass");
  if (!str) return nullptr;
  _PyUnicode_InternImmortal(PyInterpreterState_Get(), &str);
  if (!is_interned(str)) {
    Py_DECREF(str);
    PyErr_NoMemory();
    return nullptr;
  }
  return str;
}

void mark_interned(PyObject* str) {
  auto& state = reinterpret_cast<PyASCIIObject*>(str)->state;
  if (state.interned == SSTATE_NOT_INTERNED) state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
}

const size_t kUtf8Offset = offsetof(PyCompactUnicodeObject, utf8);

std::string_view cached_utf8(PyObject* str) {
  const auto* compact = reinterpret_cast<const PyCompactUnicodeObject*>(str);
  if (compact->utf8 == nullptr) return {};
  return {compact->utf8, static_cast<size_t>(compact->utf8_length)};
}

void set_utf8_bytes(void* copy, size_t bytes) {
  static_cast<PyCompactUnicodeObject*>(copy)->utf8_length = static_cast<Py_ssize_t>(bytes);
}

uint64_t hash_witness() {
  // Longer than what some builds hash in another way.
  PyObject* probe = PyUnicode_FromString("what tenure asks to know the secret of this process");
  if (probe == nullptr) return 0;
  const Py_hash_t hash = PyObject_Hash(probe);
  Py_DECREF(probe);
  return static_cast<uint64_t>(hash) | 1;
}

}  // namespace tenure::abi
