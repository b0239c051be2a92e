// Object: what every handle can be asked, and the root of the typed views.
//
// A typed view (Object, Str, List...) is a set of operations over one pointer. Nobody makes one by
// itself: Borrowed<Str> and Owned<Str> are a Str, and say who keeps it alive. A parameter that only
// looks takes a `const Str&`, and every handle to a str, a temporary one included, can be passed:
//
//   Result<> first_name(const Object& person) { return person.getattr("first_name"_name); }
//
// Every view T says in static members what belongs to it:
//
//   T::check(object)  whether an object is a T. Borrows, never fails.
//   T::kName          what error messages call it.
//
// Not for: storing. A view cannot be copied out of its handle. Including: include object.h, which
// has what is declared here.
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_VIEW_H_
#define TENURE_HANDLES_VIEW_H_

#include <cassert>
#include <concepts>
#include <optional>

#include "tenure/core/attach.h"

namespace tenure {

class Dict;
class Iteration;
class Iterator;
class List;
class Object;
class Str;
class Tuple;
class Type;
template <typename T = Object>
class Borrowed;
template <typename T = Object>
class Owned;
template <typename T = Object>
class Result;
template <typename T = Object>
class Lookup;

// The operations are described in object.h. What answers or takes another view is there once that
// view's header is included: repr() with str.h, type() with type.h, and all with handles.h.
class Object {
 public:
  static constexpr const char* kName = "object";
  static bool check(PyObject* /*object*/) { return true; }

  // Borrows. Requires: not moved from.
  [[nodiscard]] PyObject* get() const {
    assert(object_ != nullptr);
    return object_;
  }

  // Whether both are the same object: Python's `is`.
  [[nodiscard]] bool is(const Object& other) const { return get() == other.get(); }
  [[nodiscard]] bool is_none() const { return Py_IsNone(get()); }

  // Whether it is a T, as isinstance() says.
  template <typename T>
  [[nodiscard]] bool is_a() const {
    return T::check(get());
  }
  template <typename T>
  [[nodiscard]] Result<Borrowed<T>> as() const;
  template <typename T>
  [[nodiscard]] std::optional<Borrowed<T>> try_as() const;
  [[nodiscard]] Borrowed<Type> type() const;
  [[nodiscard]] Result<bool> isinstance(const Object& type) const;
  [[nodiscard]] Result<bool> issubclass(const Object& type) const;

  Result<> getattr(const Object& name) const;
  Result<> getattr(const char* name) const;
  Lookup<> getattr_optional(const Object& name) const;
  Lookup<> getattr_optional(const char* name) const;
  Result<bool> hasattr(const Object& name) const;
  Result<bool> hasattr(const char* name) const;
  Result<void> setattr(const Object& name, const Object& value) const;
  Result<void> setattr(const char* name, const Object& value) const;
  Result<void> delattr(const Object& name) const;
  Result<void> delattr(const char* name) const;

  Result<> get_item(const Object& key) const;
  Result<void> set_item(const Object& key, const Object& value) const;
  Result<void> del_item(const Object& key) const;
  Result<bool> contains(const Object& value) const;

  template <typename... Arguments>
  Result<> call(const Arguments&... arguments) const;
  template <typename... Arguments>
  Result<> call_method(const Object& name, const Arguments&... arguments) const;
  template <typename... Arguments>
  Result<> call_named(const Tuple& names, const Arguments&... arguments) const;
  Result<> call_with(const Tuple& arguments) const;
  Result<> call_with(const Tuple& arguments, const Dict& keywords) const;
  [[nodiscard]] bool is_callable() const;

  Result<> compare(const Object& other, int operation) const;
  Result<bool> eq(const Object& other) const;
  Result<bool> ne(const Object& other) const;
  Result<bool> lt(const Object& other) const;
  Result<bool> le(const Object& other) const;
  Result<bool> gt(const Object& other) const;
  Result<bool> ge(const Object& other) const;

  Result<bool> truth() const;
  Result<Py_hash_t> hash() const;
  Result<Py_ssize_t> len() const;
  Result<Str> repr() const;
  Result<Str> str() const;
  Result<Str> ascii() const;
  Result<Str> format(const Object& specification) const;
  Result<List> dir() const;

  Result<Iterator> iter() const;
  Iteration each() const;

 protected:
  explicit Object(PyObject* object) : object_(object) {}
  Object(const Object&) = default;
  Object& operator=(const Object&) = default;

  PyObject* object_;  // Null only in an Owned that was moved from.
};

// What a handle may be to.
template <typename T>
concept View = std::derived_from<T, Object>;

}  // namespace tenure

#endif  // TENURE_HANDLES_VIEW_H_
