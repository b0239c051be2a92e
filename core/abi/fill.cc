#include "tenure/core/abi/fill.h"

#include <cstring>

#include "tenure/core/abi/layout.h"
#include "tenure/core/abi/singletons.h"
#include "tenure/core/abi/strings.h"
#include "tenure/core/abi/utf8.h"

namespace tenure::abi {
namespace {

bool is_special_name(PyObject* str) {
  constexpr Py_ssize_t kShortest = 5;
  const Py_ssize_t length = PyUnicode_GET_LENGTH(str);
  if (length < kShortest || !PyUnicode_IS_ASCII(str)) return false;
  const auto* text = static_cast<const char*>(PyUnicode_DATA(str));
  return std::memcmp(text, "__", 2) == 0 && std::memcmp(text + length - 2, "__", 2) == 0;
}

// Whether the interpreter keeps a str of that content in its binary, in `answer`. False with
// MemoryError.
bool find_in_binary(PyObject* str, bool& answer) {
  PyObject* twin = PyUnicode_FromKindAndData(PyUnicode_KIND(str), PyUnicode_DATA(str),
                                             PyUnicode_GET_LENGTH(str));
  if (twin == nullptr) return false;
  PyUnicode_InternInPlace(&twin);
  const bool interned = is_interned(twin);
  answer = is_in_binary(twin);
  Py_DECREF(twin);
  if (!interned) PyErr_NoMemory();
  return interned;
}

}  // namespace

bool is_written_in_use(const Shape& shape) {
  switch (shape.id) {
    case ShapeId::kStrAscii:
    case ShapeId::kStrCompact:
    case ShapeId::kBytes:
    case ShapeId::kInt:
    case ShapeId::kFloat:
    case ShapeId::kComplex:
    case ShapeId::kTuple:
    case ShapeId::kFrozenDict:
      return false;
    case ShapeId::kNone:
    case ShapeId::kCode:
      return true;
  }
  return true;
}

bool has_unknown_hash(const Shape& shape, const void* object) {
  for (const Field& field : shape.fields) {
    if (field.role != FieldRole::kHash) continue;
    if (std::memcmp(static_cast<const std::byte*>(object) + field.offset, &field.reset,
                    field.bytes) == 0) {
      return true;
    }
  }
  return false;
}

HashFill fill_hash(const Shape& shape, PyObject* object) {
  if (!has_unknown_hash(shape, object)) return HashFill::kKnown;
  if (PyObject_Hash(object) == -1) {
    const bool unhashable = PyErr_ExceptionMatches(PyExc_TypeError) != 0;
    PyErr_Clear();
    return unhashable ? HashFill::kUnhashable : HashFill::kOpen;
  }
  return has_unknown_hash(shape, object) ? HashFill::kOpen : HashFill::kKnown;
}

bool hashes_without_python(PyObject* object) {
  return PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_HEAPTYPE) == 0;
}

size_t utf8_cache_bytes(const Shape& shape, PyObject* object) {
  if (shape.id != ShapeId::kStrCompact) return 0;
  if (reinterpret_cast<const PyCompactUnicodeObject*>(object)->utf8 != nullptr) return 0;
  const size_t bytes = utf8_bytes(object);
  return bytes == 0 ? 0 : bytes + 1;
}

void fill_utf8_cache(PyObject* str, char* room) {
  write_utf8(str, room);
  auto* compact = reinterpret_cast<PyCompactUnicodeObject*>(str);
  compact->utf8_length = static_cast<Py_ssize_t>(utf8_bytes(str));
  compact->utf8 = room;
}

bool settle_intern_state(PyObject* str) {
  if (is_interned_here(str)) return true;
#ifdef Py_DEBUG
  constexpr bool may_stay_unmarked = false;
#else
  constexpr bool may_stay_unmarked = true;
#endif
  bool in_binary = false;
  if (may_stay_unmarked && !is_interned(str) && is_special_name(str) &&
      !find_in_binary(str, in_binary)) {
    return false;
  }
  if (in_binary) return true;
  reinterpret_cast<PyASCIIObject*>(str)->state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
  return true;
}

}  // namespace tenure::abi
