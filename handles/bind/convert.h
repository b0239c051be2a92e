// How arguments become C++ values, and answers Python objects.
//
//   C++                          from Python                              to Python
//   Borrowed<T>, Owned<T>        an instance of T; no count for Borrowed  itself
//   Result<T>                    -                                        itself, or the error
//   integers, checked            int or __index__, never float            int
//   double, float                float, int, __float__, __index__         float
//   bool                         True or False                            bool
//   std::string_view             str, as UTF-8; lives with the argument   str
//   std::optional<T>             None or a T                              None or a T
//   C&, const C&                 an instance of a class bound as C        (class.h says how)
//   C*                           the same or None                         -
//
// Nothing else is converted silently: a float is never an int, an int never a bool, a str never
// bytes. handles/bind/convert_std.h adds containers. For a type of your own, specialise both:
//
//   template <>
//   struct tenure::FromPython<Money> {
//     static constexpr const char* kExpected = "a Decimal";  // in error messages
//     static constexpr const char* kAnnotation = "decimal.Decimal";  // in stubs
//     // Borrows. False with a Python error set, or without one if it is something else.
//     bool load(PyObject* object);
//     // Once, after load(); what it answers may refer to this.
//     Money get();
//     // If no C++ exception comes out of either: less code.
//     static constexpr bool kNeverThrows = true;
//     // The frequent case, if it is a few instructions without a call, tried before load(), which
//     // has to be able to come again. False says nothing.
//     bool load_quickly(PyObject* object);
//   };
//   template <>
//   struct tenure::ToPython<Money> {
//     static constexpr const char* kAnnotation = "decimal.Decimal";
//     // A new reference, or null with a Python error set.
//     static PyObject* convert(Money value);
//   };
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_BIND_CONVERT_H_
#define TENURE_HANDLES_BIND_CONVERT_H_

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/parameters.h"
#include "tenure/handles/bind/record.h"
#include "tenure/handles/int.h"
#include "tenure/handles/object.h"
#include "tenure/handles/str.h"

namespace tenure {

// The primary templates are those of classes bound with class_: bind/instance.h.
template <typename T>
struct FromPython;
template <typename T>
struct ToPython;

namespace bind {

// What is looked up for a parameter: const T& and T&& as T.
template <typename A>
using Loader = FromPython<std::remove_cvref_t<A>>;

template <typename R>
using Storer = ToPython<std::remove_cv_t<R>>;

// What stubs call a view: its name if that is one of Python's builtins or names its module.
constexpr bool is_python_name(std::string_view name) {
  if (name.starts_with("datetime.")) return true;
  for (const char* one : {"str", "bytes", "bytearray", "int", "float", "complex", "bool", "tuple",
                          "list", "dict", "set", "frozenset", "slice", "type"}) {
    if (name == one) return true;
  }
  return false;
}
template <typename T>
inline constexpr const char* kAnnotationOf = is_python_name(T::kName) ? T::kName : "object";

// Whether None is one of the values.
template <typename C>
inline constexpr bool kOrNone = requires { C::kOrNone; };

// Whether no C++ exception comes out of load() and get(), or convert().
template <typename C>
inline constexpr bool kNeverThrows = requires { C::kNeverThrows; };

template <typename C>
inline constexpr bool kLoadsQuickly = requires(C& loader) { loader.load_quickly(nullptr); };

inline constexpr const char* kNoName = "";
template <typename C>
constexpr const char* const* expected_by() {
  if constexpr (requires { C::kExpected; }) {
    return &C::kExpected;
  } else {
    return &kNoName;
  }
}

// Of a FromPython or a ToPython.
template <typename C>
inline constexpr Passed passed_as = {expected_by<C>(), &C::kAnnotation, kOrNone<C>};

}  // namespace bind

template <View T>
struct FromPython<Borrowed<T>> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kExpected = T::kName;
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;

  bool load(PyObject* object) { return load_quickly(object); }
  bool load_quickly(PyObject* object) {
    given = object;
    return T::check(object);
  }
  Borrowed<T> get() { return Borrowed<T>(given); }

  PyObject* given = nullptr;
};

template <View T>
struct FromPython<Owned<T>> : FromPython<Borrowed<T>> {
  Owned<T> get() { return FromPython<Borrowed<T>>::get().new_ref(); }
};

template <Integer I>
struct FromPython<I> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kExpected = "int";
  static constexpr const char* kAnnotation = "int";

  bool load(PyObject* object) {
    const Result<I> number = Int::index<I>(Borrowed<>(object));
    if (number) value = *number;
    return bool{number};
  }
  // What fits into a machine word of CPython's.
  bool load_quickly(PyObject* object) {
    if (!PyLong_Check(object)) return false;
    const auto* const number = reinterpret_cast<PyLongObject*>(object);
    if (!PyUnstable_Long_IsCompact(number)) return false;
    const Py_ssize_t compact = PyUnstable_Long_CompactValue(number);
    value = static_cast<I>(compact);
    return static_cast<Py_ssize_t>(value) == compact && (std::is_signed_v<I> || compact >= 0);
  }
  I get() { return value; }

  I value = 0;
};

template <std::floating_point F>
struct FromPython<F> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kExpected = "float";
  static constexpr const char* kAnnotation = "float";

  bool load(PyObject* object) {
    value = PyFloat_AsDouble(object);
    return value != -1.0 || PyErr_Occurred() == nullptr;
  }
  bool load_quickly(PyObject* object) {
    if (!PyFloat_CheckExact(object)) return false;
    value = PyFloat_AS_DOUBLE(object);
    return true;
  }
  F get() { return static_cast<F>(value); }

  double value = 0;
};

template <>
struct FromPython<bool> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kExpected = "bool";
  static constexpr const char* kAnnotation = "bool";

  bool load(PyObject* object) { return load_quickly(object); }
  bool load_quickly(PyObject* object) {
    value = object == Py_True;
    return PyBool_Check(object);
  }
  bool get() { return value; }

  bool value = false;
};

template <>
struct FromPython<std::string_view> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kExpected = "str";
  static constexpr const char* kAnnotation = "str";

  bool load(PyObject* object) {
    if (!PyUnicode_Check(object)) return false;
    Result<std::string_view> text = Borrowed<Str>(object).utf8();
    if (!text) return false;
    value = *text;
    return true;
  }
  std::string_view get() { return value; }

  std::string_view value;
};

template <typename T>
struct FromPython<std::optional<T>> {
  static constexpr const char* const& kExpected = FromPython<T>::kExpected;
  static constexpr const char* const& kAnnotation = FromPython<T>::kAnnotation;
  static constexpr bool kOrNone = true;

  bool load(PyObject* object) {
    is_none = Py_IsNone(object);
    return is_none || loader.load(object);
  }
  std::optional<T> get() {
    if (is_none) return std::nullopt;
    return loader.get();
  }

  FromPython<T> loader;
  bool is_none = false;
};

template <View T>
struct ToPython<Owned<T>> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;
  static PyObject* convert(Owned<T>&& value) { return std::move(value).release(); }
};

template <View T>
struct ToPython<Borrowed<T>> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;
  static PyObject* convert(Borrowed<T> value) { return value.new_ref().release(); }
};

template <View T>
struct ToPython<Result<T>> {
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;
  static PyObject* convert(Result<T>&& value) { return std::move(value).release(); }
};

template <>
struct ToPython<Result<void>> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "None";
  static PyObject* convert(Result<void> value) {
    if (!value) return nullptr;
    Py_RETURN_NONE;
  }
};

template <typename T>
struct ToPython<Result<T>> {
  static constexpr const char* const& kAnnotation = ToPython<T>::kAnnotation;
  static PyObject* convert(Result<T>&& value) {
    if (!value) return nullptr;
    return ToPython<T>::convert(std::move(value).take());
  }
};

template <Integer I>
struct ToPython<I> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "int";
  static PyObject* convert(I value) { return Int::make(value).release(); }
};

template <std::floating_point F>
struct ToPython<F> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "float";
  static PyObject* convert(F value) { return PyFloat_FromDouble(static_cast<double>(value)); }
};

template <>
struct ToPython<bool> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "bool";
  static PyObject* convert(bool value) { return value ? Py_True : Py_False; }
};

template <>
struct ToPython<std::string_view> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "str";
  static PyObject* convert(std::string_view value) { return Str::make(value).release(); }
};

// A string literal, or text that outlives the call. Requires: not null.
template <>
struct ToPython<const char*> : ToPython<std::string_view> {};

template <>
struct ToPython<void> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "None";
};

template <>
struct ToPython<None> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "None";
  static PyObject* convert(None /*value*/) { Py_RETURN_NONE; }
};

template <typename T>
struct ToPython<std::optional<T>> {
  static constexpr const char* const& kAnnotation = ToPython<T>::kAnnotation;
  static constexpr bool kOrNone = true;
  static PyObject* convert(std::optional<T>&& value) {
    if (!value) Py_RETURN_NONE;
    return ToPython<T>::convert(*std::move(value));
  }
};

// An object of a C++ value, as if a function answered it.
template <typename T>
Result<> to_python(T&& value) {
  return ToPython<std::decay_t<T>>::convert(std::forward<T>(value));
}

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_CONVERT_H_
