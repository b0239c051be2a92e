#include "tenure/core/abi/singletons.h"

#include <array>
#include <limits>

#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/immortal.h"

namespace tenure::abi {
namespace {

// Makes the object twice: a singleton is what comes out both times. Saves us from knowing how many
// small ints a version keeps.
template <typename Make>
PyObject* same_twice(Make make) {
  PyObject* first = make();
  PyObject* second = make();
  PyObject* answer = first == second && first && is_immortal(first) ? first : nullptr;
  Py_XDECREF(first);
  Py_XDECREF(second);
  return answer;
}

PyObject* small_int(int64_t value) {
  return same_twice([value] { return PyLong_FromLongLong(value); });
}

PyObject* latin1(int64_t character) {
  if (character < 0 || character > 0xff) return nullptr;
  return same_twice([character] { return PyUnicode_FromOrdinal(static_cast<int>(character)); });
}

PyObject* byte(int64_t value) {
  if (value < 0 || value > 0xff) return nullptr;
  const char character = static_cast<char>(value);
  return same_twice([&character] { return PyBytes_FromStringAndSize(&character, 1); });
}

std::optional<Singleton> if_same(PyObject* object, Singleton singleton) {
  if (resolve(singleton) == object) return singleton;
  PyErr_Clear();
  return std::nullopt;
}

}  // namespace

PyObject* well_known(WellKnown id) {
  static const std::array<PyObject*, kWellKnownEnd> objects = {
      nullptr,
      reinterpret_cast<PyObject*>(&PyUnicode_Type),
      reinterpret_cast<PyObject*>(&PyBytes_Type),
      reinterpret_cast<PyObject*>(&PyLong_Type),
      reinterpret_cast<PyObject*>(&PyFloat_Type),
      reinterpret_cast<PyObject*>(&PyComplex_Type),
      reinterpret_cast<PyObject*>(&PyTuple_Type),
      reinterpret_cast<PyObject*>(&PyCode_Type),
      reinterpret_cast<PyObject*>(&PyBool_Type),
      reinterpret_cast<PyObject*>(&PyFrozenSet_Type),
      reinterpret_cast<PyObject*>(&PySlice_Type),
      Py_None,
      Py_True,
      Py_False,
      Py_Ellipsis,
      Py_NotImplemented,
      // Immortal: the references taken here need not be given back.
      PyTuple_New(0),
      PyBytes_FromStringAndSize(nullptr, 0),
      PyUnicode_New(0, 0),
  };
  const auto index = static_cast<size_t>(id);
  return index < objects.size() ? objects[index] : nullptr;
}

PyObject* resolve(const Singleton& singleton) {
  switch (singleton.kind) {
    case Singleton::Kind::kWellKnown:
      if (singleton.value < 0 || singleton.value >= kWellKnownEnd) return nullptr;
      return well_known(static_cast<WellKnown>(singleton.value));
    case Singleton::Kind::kSmallInt:
      return small_int(singleton.value);
    case Singleton::Kind::kLatin1:
      return latin1(singleton.value);
    case Singleton::Kind::kByte:
      return byte(singleton.value);
    case Singleton::Kind::kStatic:
      break;
  }
  return nullptr;
}

std::optional<Singleton> singleton_of(PyObject* object) {
  using Kind = Singleton::Kind;
  if (!is_immortal(object)) return std::nullopt;
  for (uint32_t i = 1; i < kWellKnownEnd; ++i) {
    if (well_known(static_cast<WellKnown>(i)) == object) return Singleton{Kind::kWellKnown, i};
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) return std::nullopt;
    return if_same(object, {Kind::kSmallInt, value});
  }
  if (PyUnicode_CheckExact(object)) {
    if (PyUnicode_GET_LENGTH(object) == 1) {
      const Py_UCS4 character = PyUnicode_READ_CHAR(object, 0);
      if (auto found = if_same(object, {Kind::kLatin1, character})) return found;
    }
    if (is_in_binary(object)) return Singleton{Kind::kStatic, 0};
    return std::nullopt;
  }
  if (PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) == 1) {
    return if_same(object, {Kind::kByte, static_cast<unsigned char>(PyBytes_AS_STRING(object)[0])});
  }
  return std::nullopt;
}

bool is_in_binary(const void* object) {
  const auto address = reinterpret_cast<uint64_t>(object);
  const Identity& self = identity();
  return address >= self.binary_begin && address < self.binary_end;
}

}  // namespace tenure::abi
