// nanobind and our handles in one module: neither counts a reference that only changes hands.
//
//   Owned<Str> name = from_nanobind<Str>(std::move(object));  // nanobind::object to us
//   nanobind::object object = to_nanobind(std::move(name));   // and back
//
// Functions that are bound may take and return ours; an argument of another type is nanobind's own
// TypeError, and a Result or PythonError that comes out is the Python error it holds:
//
//   Result<Str> first_name(const Object& person, Borrowed<Str> separator);
//   module.def("first_name", &first_name);
//
// Call translate_errors_for_nanobind() where the module is initialised, or what the one library
// throws is a RuntimeError to the other. None is an object like others here, but nanobind keeps it
// from functions unless their nanobind::arg("name").none() says that they take it.
//
// Not for: conversions; a Borrowed<Float> takes a float, not what can be made one.
//
// Thread safety: attached for everything, as all of nanobind's handles.
#ifndef TENURE_HANDLES_INTEROP_NANOBIND_H_
#define TENURE_HANDLES_INTEROP_NANOBIND_H_

#include <cassert>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <nanobind/nanobind.h>

#include "tenure/handles/error.h"
#include "tenure/handles/interop/type_name.h"
#include "tenure/handles/object.h"
#include "tenure/handles/translate.h"

namespace tenure {

// Steals.
template <View T>
nanobind::object to_nanobind(Owned<T>&& owner) {
  return nanobind::steal(std::move(owner).release());
}

// Borrows, as long as the object does.
inline nanobind::handle to_nanobind(const Object& object) { return object.get(); }
template <View T>
nanobind::handle to_nanobind(const Owned<T>&& temporary) = delete;

namespace internal {
template <View T>
void require_for_nanobind(nanobind::handle object) {
  assert(object.is_valid());
  if (T::check(object.ptr())) return;
  raise_type_error("expected %s, got %.200s", T::kName, Py_TYPE(object.ptr())->tp_name);
  throw nanobind::python_error();
}
}  // namespace internal

// Steals, also when it fails. Requires: not null. Throws nanobind::python_error with a TypeError if
// it is no T.
template <View T = Object>
Owned<T> from_nanobind(nanobind::object&& object) {
  nanobind::object taken = std::move(object);
  internal::require_for_nanobind<T>(taken);
  return Owned<T>::steal(taken.release().ptr());
}

// Borrows from whoever keeps the object for nanobind. Requires and throws: as above.
template <View T = Object>
Borrowed<T> from_nanobind(nanobind::handle object) {
  internal::require_for_nanobind<T>(object);
  return Borrowed<T>(object.ptr());
}

namespace internal {
// The Python type of what nanobind throws in its stead.
inline PyObject* type_of_nanobind(nanobind::exception_type type) {
  switch (type) {
    case nanobind::exception_type::stop_iteration:
      return PyExc_StopIteration;
    case nanobind::exception_type::index_error:
      return PyExc_IndexError;
    case nanobind::exception_type::key_error:
      return PyExc_KeyError;
    case nanobind::exception_type::value_error:
      return PyExc_ValueError;
    case nanobind::exception_type::type_error:
      return PyExc_TypeError;
    case nanobind::exception_type::buffer_error:
      return PyExc_BufferError;
    case nanobind::exception_type::import_error:
      return PyExc_ImportError;
    case nanobind::exception_type::attribute_error:
      return PyExc_AttributeError;
    default:
      return PyExc_RuntimeError;
  }
}
}  // namespace internal

// Sets a PythonError that leaves a function of nanobind's domain as it was raised, and so does
// translate_current_exception() with what nanobind throws. Call it once, where the module is
// initialised.
inline void translate_errors_for_nanobind() {
  nanobind::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const PythonError& error) {
      PythonError(error).restore();
    }
  });
  static const TranslateException<nanobind::python_error> translate_errors(
      [](const nanobind::python_error& error) {
        nanobind::python_error(error).restore();
        return Failed{};
      });
  static const TranslateException<nanobind::builtin_exception> translate_builtins(
      [](const nanobind::builtin_exception& error) {
        return raise(internal::type_of_nanobind(error.type()), "%s", error.what());
      });
}

}  // namespace tenure

namespace nanobind::detail {

template <typename T>
struct type_caster<tenure::Borrowed<T>> {
  using Value = tenure::Borrowed<T>;
  static constexpr auto Name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using Cast = Value;
  template <typename>
  static constexpr bool can_cast() {
    return true;
  }

  bool from_python(handle source, uint8_t /*flags*/, cleanup_list* /*cleanup*/) noexcept {
    if (!T::check(source.ptr())) return false;
    object_ = source.ptr();
    return true;
  }
  explicit operator Value() const { return Value(object_); }

  static handle from_cpp(Value source, rv_policy /*policy*/, cleanup_list* /*cleanup*/) noexcept {
    return source.new_ref().release();
  }

 private:
  PyObject* object_ = nullptr;
};

template <typename T>
struct type_caster<tenure::Owned<T>> {
  using Value = tenure::Owned<T>;
  static constexpr auto Name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using Cast = Value;
  template <typename>
  static constexpr bool can_cast() {
    return true;
  }

  bool from_python(handle source, uint8_t /*flags*/, cleanup_list* /*cleanup*/) noexcept {
    if (!T::check(source.ptr())) return false;
    object_ = source.ptr();
    return true;
  }
  // The caller's reference stays the caller's.
  explicit operator Value() const { return tenure::Borrowed<T>(object_).new_ref(); }

  static handle from_cpp(Value&& source, rv_policy /*policy*/, cleanup_list* /*cleanup*/) noexcept {
    return std::move(source).release();
  }

 private:
  PyObject* object_ = nullptr;
};

// Parameters that are `const Str&`.
template <tenure::internal::PlainView T>
struct type_caster<T> {
  using Value = T;
  static constexpr auto Name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using Cast = const T&;
  template <typename>
  static constexpr bool can_cast() {
    return true;
  }

  bool from_python(handle source, uint8_t /*flags*/, cleanup_list* /*cleanup*/) noexcept {
    if (!T::check(source.ptr())) return false;
    object_.emplace(source.ptr());
    return true;
  }
  explicit operator const T&() const { return *object_; }

 private:
  std::optional<tenure::Borrowed<T>> object_;
};

// What functions answer. Null, with the error set, is an error to nanobind too.
template <typename T>
struct type_caster<tenure::Result<T>> {
  using Value = tenure::Result<T>;
  static constexpr auto Name = make_caster<typename Value::Value>::Name;

  static handle from_cpp(Value&& source, rv_policy policy, cleanup_list* cleanup) noexcept {
    if (!source) return {};
    return make_caster<typename Value::Value>::from_cpp(std::move(source).take(), policy, cleanup);
  }
};

template <>
struct type_caster<tenure::Result<void>> {
  using Value = tenure::Result<void>;
  static constexpr auto Name = const_name("None");

  static handle from_cpp(const Value& source, rv_policy /*policy*/,
                         cleanup_list* /*cleanup*/) noexcept {
    if (!source) return {};
    return none().release();
  }
};

}  // namespace nanobind::detail

#endif  // TENURE_HANDLES_INTEROP_NANOBIND_H_
