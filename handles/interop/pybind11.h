// pybind11 and our handles in one module: neither counts a reference that only changes hands.
//
//   Owned<Str> name = from_pybind11<Str>(std::move(object));  // pybind11::object to us
//   pybind11::object object = to_pybind11(std::move(name));   // and back
//
// Functions that are bound may take and return ours; an argument of another type is pybind11's own
// TypeError, and a Result or PythonError that comes out is the Python error it holds:
//
//   Result<Str> first_name(const Object& person, Borrowed<Str> separator);
//   module.def("first_name", &first_name);
//
// Call translate_errors_for_pybind11() where the module is initialised, or what the one library
// throws is a RuntimeError to the other.
//
// Not for: conversions; a Borrowed<Float> takes a float, not what can be made one.
//
// Thread safety: attached for everything, as all of pybind11's handles.
#ifndef TENURE_HANDLES_INTEROP_PYBIND11_H_
#define TENURE_HANDLES_INTEROP_PYBIND11_H_

#include <cassert>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <pybind11/pybind11.h>

#include "tenure/handles/error.h"
#include "tenure/handles/interop/type_name.h"
#include "tenure/handles/object.h"
#include "tenure/handles/translate.h"

namespace tenure {

// Steals.
template <View T>
pybind11::object to_pybind11(Owned<T>&& owner) {
  return pybind11::reinterpret_steal<pybind11::object>(std::move(owner).release());
}

// Borrows, as long as the object does.
inline pybind11::handle to_pybind11(const Object& object) { return object.get(); }
template <View T>
pybind11::handle to_pybind11(const Owned<T>&& temporary) = delete;

namespace internal {
template <View T>
void require_for_pybind11(pybind11::handle object) {
  assert(object);
  if (T::check(object.ptr())) return;
  raise_type_error("expected %s, got %.200s", T::kName, Py_TYPE(object.ptr())->tp_name);
  throw pybind11::error_already_set();
}
}  // namespace internal

// Steals, also when it fails. Requires: not null. Throws pybind11::error_already_set with a
// TypeError if it is no T.
template <View T = Object>
Owned<T> from_pybind11(pybind11::object&& object) {
  pybind11::object taken = std::move(object);
  internal::require_for_pybind11<T>(taken);
  return Owned<T>::steal(taken.release().ptr());
}

// Borrows from whoever keeps the object for pybind11. Requires and throws: as above.
template <View T = Object>
Borrowed<T> from_pybind11(pybind11::handle object) {
  internal::require_for_pybind11<T>(object);
  return Borrowed<T>(object.ptr());
}

// Sets a PythonError that leaves a function of this module as it was raised, and so does
// translate_current_exception() with what pybind11 throws. Call it once, where the module is
// initialised.
inline void translate_errors_for_pybind11() {
  pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(std::move(thrown));
    } catch (const PythonError& error) {
      PythonError(error).restore();
    }
  });
  static const TranslateException<pybind11::error_already_set> translate_errors(
      [](const pybind11::error_already_set& error) {
        pybind11::error_already_set(error).restore();
        return Failed{};
      });
  static const TranslateException<pybind11::builtin_exception> translate_builtins(
      [](const pybind11::builtin_exception& error) {
        error.set_error();
        return Failed{};
      });
}

}  // namespace tenure

namespace pybind11::detail {

template <typename T>
class type_caster<tenure::Borrowed<T>> {
 public:
  static constexpr auto name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using cast_op_type = tenure::Borrowed<T>;

  bool load(handle source, bool /*convert*/) {
    if (!source || !T::check(source.ptr())) return false;
    object_ = source.ptr();
    return true;
  }
  // NOLINTNEXTLINE(google-explicit-constructor): what pybind11 asks a caster for.
  operator tenure::Borrowed<T>() const { return tenure::Borrowed<T>(object_); }

  static handle cast(tenure::Borrowed<T> source, return_value_policy /*policy*/,
                     handle /*parent*/) {
    return source.new_ref().release();
  }

 private:
  PyObject* object_ = nullptr;
};

template <typename T>
class type_caster<tenure::Owned<T>> {
 public:
  static constexpr auto name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using cast_op_type = tenure::Owned<T>;

  bool load(handle source, bool /*convert*/) {
    if (!source || !T::check(source.ptr())) return false;
    object_ = source.ptr();
    return true;
  }
  // The caller's reference stays the caller's.
  // NOLINTNEXTLINE(google-explicit-constructor): what pybind11 asks a caster for.
  operator tenure::Owned<T>() const { return tenure::Borrowed<T>(object_).new_ref(); }

  static handle cast(tenure::Owned<T>&& source, return_value_policy /*policy*/, handle /*parent*/) {
    return std::move(source).release();
  }

 private:
  PyObject* object_ = nullptr;
};

// Parameters that are `const Str&`.
template <tenure::internal::PlainView T>
class type_caster<T> {
 public:
  static constexpr auto name = const_name(tenure::internal::kTypeName<T>.text);
  template <typename>
  using cast_op_type = const T&;

  bool load(handle source, bool /*convert*/) {
    if (!source || !T::check(source.ptr())) return false;
    object_.emplace(source.ptr());
    return true;
  }
  // NOLINTNEXTLINE(google-explicit-constructor): what pybind11 asks a caster for.
  operator const T&() const { return *object_; }

 private:
  std::optional<tenure::Borrowed<T>> object_;
};

// What functions answer.
template <typename T>
class type_caster<tenure::Result<T>> {
  using Value = typename tenure::Result<T>::Value;

 public:
  static constexpr auto name = make_caster<Value>::name;

  static handle cast(tenure::Result<T>&& source, return_value_policy policy, handle parent) {
    if (!source) throw error_already_set();
    return make_caster<Value>::cast(std::move(source).take(), policy, parent);
  }
};

template <>
class type_caster<tenure::Result<void>> {
 public:
  static constexpr auto name = const_name("None");

  static handle cast(const tenure::Result<void>& source, return_value_policy /*policy*/,
                     handle /*parent*/) {
    if (!source) throw error_already_set();
    return none().release();
  }
};

}  // namespace pybind11::detail

#endif  // TENURE_HANDLES_INTEROP_PYBIND11_H_
