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
#include "tenure/handles/float.h"
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

// A view's name where one is asked for: every view is an instance of its own type.
template <typename T>
inline constexpr const char* kAnnotationOf = std::is_same_v<T, Object> ? "object" : T::kName;

// Whether None is one of the values.
template <typename C>
inline constexpr bool kOrNone = requires { C::kOrNone; };

}  // namespace bind

template <View T>
struct FromPython<Borrowed<T>> {
  static constexpr const char* kExpected = T::kName;
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;

  bool load(PyObject* object) {
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
  static constexpr const char* kExpected = "int";
  static constexpr const char* kAnnotation = "int";

  bool load(PyObject* object) {
    Result<I> number = Int::index<I>(Borrowed<>(object));
    if (!number) return false;
    value = *number;
    return true;
  }
  I get() { return value; }

  I value = 0;
};

template <std::floating_point F>
struct FromPython<F> {
  static constexpr const char* kExpected = "float";
  static constexpr const char* kAnnotation = "float";

  bool load(PyObject* object) {
    Result<double> number = Float::from(Borrowed<>(object));
    if (!number) return false;
    value = *number;
    return true;
  }
  F get() { return static_cast<F>(value); }

  double value = 0;
};

template <>
struct FromPython<bool> {
  static constexpr const char* kExpected = "bool";
  static constexpr const char* kAnnotation = "bool";

  bool load(PyObject* object) {
    value = object == Py_True;
    return PyBool_Check(object);
  }
  bool get() { return value; }

  bool value = false;
};

template <>
struct FromPython<std::string_view> {
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
  static constexpr const char* kAnnotation = bind::kAnnotationOf<T>;
  static PyObject* convert(Owned<T>&& value) { return std::move(value).release(); }
};

template <View T>
struct ToPython<Borrowed<T>> {
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
  static constexpr const char* kAnnotation = "int";
  static PyObject* convert(I value) { return Int::make(value).release(); }
};

template <std::floating_point F>
struct ToPython<F> {
  static constexpr const char* kAnnotation = "float";
  static PyObject* convert(F value) { return PyFloat_FromDouble(static_cast<double>(value)); }
};

template <>
struct ToPython<bool> {
  static constexpr const char* kAnnotation = "bool";
  static PyObject* convert(bool value) { return value ? Py_True : Py_False; }
};

template <>
struct ToPython<std::string_view> {
  static constexpr const char* kAnnotation = "str";
  static PyObject* convert(std::string_view value) { return Str::make(value).release(); }
};

// A string literal, or text that outlives the call. Requires: not null.
template <>
struct ToPython<const char*> : ToPython<std::string_view> {};

template <>
struct ToPython<void> {
  static constexpr const char* kAnnotation = "None";
};

template <>
struct ToPython<None> {
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

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_CONVERT_H_
