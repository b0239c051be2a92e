#include "tenure/core/abi/check.h"

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/immortal.h"
#include "tenure/core/abi/layout.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace tenure::abi {
namespace {

template <typename Unit>
Unit highest(const Unit* data, size_t length) {
  Unit bits = 0;
  for (size_t i = 0; i < length; ++i) bits = data[i] > bits ? data[i] : bits;
  return bits;
}

const char* fault_in_str(PyObject* object) {
  const auto length = static_cast<size_t>(PyUnicode_GET_LENGTH(object));
  const void* data = PyUnicode_DATA(object);
  Py_UCS4 end = 0;
  Py_UCS4 max = 0;
  Py_UCS4 least = 0;
  switch (PyUnicode_KIND(object)) {
    case PyUnicode_1BYTE_KIND:
      max = highest(static_cast<const Py_UCS1*>(data), length);
      end = static_cast<const Py_UCS1*>(data)[length];
      least = PyUnicode_IS_ASCII(object) ? 0 : 0x80;
      break;
    case PyUnicode_2BYTE_KIND:
      max = highest(static_cast<const Py_UCS2*>(data), length);
      end = static_cast<const Py_UCS2*>(data)[length];
      least = 0x100;
      break;
    default:
      max = highest(static_cast<const Py_UCS4*>(data), length);
      end = static_cast<const Py_UCS4*>(data)[length];
      least = 0x10000;
  }
  if (end != 0) return "is a str without its final zero";
  if (max < least || (PyUnicode_IS_ASCII(object) && max > 0x7f) || max > 0x10ffff) {
    return "is a str with a character of the wrong width";
  }
  const auto* str = reinterpret_cast<const PyASCIIObject*>(object);
  if (!str->state.statically_allocated) return "is a str that the interpreter would free";
  if (PyUnicode_CHECK_INTERNED(object) == SSTATE_INTERNED_MORTAL) {
    return "is an immortal str that is interned as a mortal one";
  }
  return nullptr;
}

const char* fault_in_int(PyObject* object) {
  const auto& value = reinterpret_cast<const PyLongObject*>(object)->long_value;
  const size_t digits = value.lv_tag >> _PyLong_NON_SIZE_BITS;
  const size_t sign = value.lv_tag & 3;
  if (sign == 3 || (digits == 0) != (sign == 1)) return "is an int with an impossible sign";
  for (size_t i = 0; i < digits; ++i) {
    if (value.ob_digit[i] > PyLong_MASK) return "is an int with an impossible digit";
  }
  if (digits > 0 && value.ob_digit[digits - 1] == 0) return "is an int with a leading zero";
  return nullptr;
}

bool is_tuple_of_str(PyObject* object) {
  if (!PyTuple_CheckExact(object)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
    if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(object, i))) return false;
  }
  return true;
}

const char* fault_in_code(PyObject* object) {
  const auto* code = reinterpret_cast<const PyCodeObject*>(object);
  if (!PyTuple_CheckExact(code->co_consts)) return "is code without constants";
  if (!is_tuple_of_str(code->co_names)) return "is code with names that are no str";
  if (!is_tuple_of_str(code->co_localsplusnames) ||
      PyTuple_GET_SIZE(code->co_localsplusnames) != code->co_nlocalsplus) {
    return "is code with the wrong number of local variables";
  }
  if (!PyBytes_CheckExact(code->co_localspluskinds) ||
      PyBytes_GET_SIZE(code->co_localspluskinds) != code->co_nlocalsplus) {
    return "is code with the wrong kinds of local variables";
  }
  if (!PyBytes_CheckExact(code->co_linetable) || !PyBytes_CheckExact(code->co_exceptiontable)) {
    return "is code without its tables";
  }
  if (!PyUnicode_CheckExact(code->co_filename) || !PyUnicode_CheckExact(code->co_name) ||
      !PyUnicode_CheckExact(code->co_qualname)) {
    return "is code without its name";
  }
  if (code->co_version < kFirstImageVersion) return "is code with a version of the interpreter's";
  if (code->co_stacksize < 0 || code->co_argcount < 0 ||
      code->co_posonlyargcount > code->co_argcount || code->co_kwonlyargcount < 0 ||
      code->co_argcount + code->co_kwonlyargcount > code->co_nlocalsplus) {
    return "is code with impossible arguments";
  }
  return nullptr;
}

}  // namespace

const char* find_fault(const Shape& shape, PyObject* object, size_t limit) {
  // Not compared with the count it was given: the interpreter adds flags when it interns a str.
  if (!is_immortal(object)) return "is not immortal";
  if (!Py_IS_TYPE(object, shape.type)) return "is of another type than its shape";
  const size_t bytes = shape.bytes(object, limit);
  if (bytes == 0) return "is larger than its place";
  const auto* prefix = reinterpret_cast<const char*>(object) - shape.prefix_bytes;
  for (size_t i = 0; i < shape.prefix_bytes; ++i) {
    if (prefix[i] != 0) return "is known to the collector";
  }
  if (layout::has_collector_bits(object)) return "is known to the collector";
  switch (shape.id) {
    case ShapeId::kStrAscii:
    case ShapeId::kStrCompact:
      return fault_in_str(object);
    case ShapeId::kBytes:
      return PyBytes_AS_STRING(object)[PyBytes_GET_SIZE(object)] == 0
                 ? nullptr
                 : "is a bytes without its final zero";
    case ShapeId::kInt:
      return fault_in_int(object);
    case ShapeId::kCode:
      return fault_in_code(object);
    default:
      return nullptr;
  }
}

}  // namespace tenure::abi
