// Result<T>: what a fallible call answers, or the Python error that is set instead of it.
//
// For a view T it holds an Owned<T> and is one pointer, null on an error; it wraps what the C API
// answers. For Borrowed<T> it is one pointer too. For any other type it holds a value, and
// Result<void> only says whether it went well.
//
//   Result<> name = PyUnicode_FromString("x");
//   if (!name) return nullptr;
//   use(*name);
//
// TENURE_TRY passes an error on; value_or_throw() throws it as a PythonError (handles/error.h):
//
//   Result<Str> greeting(const Object& person) {
//     Owned<> name = TENURE_TRY(person.getattr("name"_name));
//     ...
//
// Not for: asking for what may well be absent; a Lookup tells that apart from an error.
//
// Thread safety: as what it holds.
#ifndef TENURE_HANDLES_RESULT_H_
#define TENURE_HANDLES_RESULT_H_

#include <cassert>
#include <concepts>
#include <new>
#include <type_traits>
#include <utility>

#include "tenure/handles/owned.h"

namespace tenure {

// "A Python error is set": turns into whatever a function answers in that case.
struct Failed {
  operator PyObject*() const { return nullptr; }  // NOLINT(google-explicit-constructor)
  operator int() const { return -1; }             // NOLINT(google-explicit-constructor)
};

// In handles/error.h and error.cc. Requires: a Python error is set, which it takes along.
[[noreturn]] void throw_python_error();

namespace internal {
inline bool is_error_set() { return PyErr_Occurred() != nullptr; }

template <typename T>
inline constexpr bool kIsBorrowed = false;
template <typename T>
inline constexpr bool kIsBorrowed<Borrowed<T>> = true;
}  // namespace internal

// A value of any other type.
template <typename T>
class [[nodiscard]] Result {
 public:
  using Value = T;

  Result(Failed /*error*/) : ok_(false) { assert(internal::is_error_set()); }  // NOLINT
  template <typename U = T>
    requires(std::constructible_from<T, U &&> && !std::same_as<std::remove_cvref_t<U>, Result> &&
             !std::same_as<std::remove_cvref_t<U>, Failed>)
  Result(U&& value) : value_(std::forward<U>(value)), ok_(true) {}  // NOLINT
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : ok_(other.ok_) {
    if (ok_) new (&value_) T(std::move(other.value_));
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() {
    if (ok_) value_.~T();
  }

  explicit operator bool() const { return ok_; }

  // Requires: no error.
  const T& operator*() const& {
    assert(ok_);
    return value_;
  }
  T& operator*() & {
    assert(ok_);
    return value_;
  }
  const T* operator->() const {
    assert(ok_);
    return &value_;
  }
  T take() && {
    assert(ok_);
    return std::move(value_);
  }
  T value_or_throw() && {
    if (!ok_) throw_python_error();
    return std::move(value_);
  }

 private:
  union {
    T value_;
  };
  bool ok_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;

  Result() = default;
  Result(Failed /*error*/) : ok_(false) { assert(internal::is_error_set()); }  // NOLINT

  // What those functions of the C API answer that only succeed or fail: below zero is an error.
  static Result from_status(int status) { return Result(status >= 0); }

  explicit operator bool() const { return ok_; }
  void take() && { assert(ok_); }
  void value_or_throw() && {
    if (!ok_) throw_python_error();
  }

 private:
  explicit Result(bool ok) : ok_(ok) { assert(ok || internal::is_error_set()); }

  bool ok_ = true;
};

template <typename T>
  requires internal::kIsBorrowed<T>
class [[nodiscard]] Result<T> {
 public:
  using Value = T;

  Result(Failed /*error*/) : object_(nullptr) { assert(internal::is_error_set()); }  // NOLINT
  Result(T value) : object_(value.get()) {}                                          // NOLINT
  // Requires: object is what T says, borrowed, or null with a Python error set.
  explicit Result(PyObject* object) : object_(object) {
    assert(object != nullptr || internal::is_error_set());
  }

  explicit operator bool() const { return object_ != nullptr; }

  // Requires: no error.
  T operator*() const { return T(object_); }
  T take() && { return T(object_); }
  T value_or_throw() && {
    if (object_ == nullptr) throw_python_error();
    return T(object_);
  }

 private:
  PyObject* object_;
};

template <View T>
  requires(!internal::kIsBorrowed<T>)
class [[nodiscard]] Result<T> {
 public:
  using Value = Owned<T>;

  // Steals. Requires: object is a T and a new reference, or null with a Python error set.
  Result(PyObject* object) : object_(object) {  // NOLINT(google-explicit-constructor)
    assert(object != nullptr || internal::is_error_set());
  }
  Result(Failed /*error*/) : object_(nullptr) { assert(internal::is_error_set()); }  // NOLINT
  template <std::derived_from<T> U>
  Result(Owned<U>&& owner)  // NOLINT(google-explicit-constructor)
      : object_(std::move(owner).release()) {}
  template <std::derived_from<T> U>
    requires(!std::same_as<U, T>)
  Result(Result<U>&& other) noexcept  // NOLINT(google-explicit-constructor)
      : object_(std::move(other).release()) {}
  Result(Result&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&& other) noexcept {
    Py_XDECREF(std::exchange(object_, std::exchange(other.object_, nullptr)));
    return *this;
  }
  ~Result() { Py_XDECREF(object_); }

  explicit operator bool() const { return object_ != nullptr; }

  // Borrows. Requires: no error.
  [[nodiscard]] PyObject* get() const {
    assert(object_ != nullptr);
    return object_;
  }
  Borrowed<T> operator*() const& { return Borrowed<T>(get()); }
  Borrowed<T> operator*() && = delete;

  // Requires: no error.
  Owned<T> take() && { return Owned<T>::steal(std::exchange(object_, nullptr)); }
  Owned<T> value_or_throw() && {
    if (object_ == nullptr) throw_python_error();
    return std::move(*this).take();
  }

  // A new reference, or null with the error still set: what a C function of Python returns.
  [[nodiscard]] PyObject* release() && { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_;
};

// What was found, that there was nothing, or the Python error that is set: three answers of one
// pointer and a status. Holds a strong reference.
//
//   Lookup<> found = dict.get(key);
//   if (!found.ok()) return Failed{};
//   if (found) use(*found);
template <typename T>
class [[nodiscard]] Lookup {
 public:
  // As the functions of the C API whose name ends in Ref answer. Steals. Requires: status is 1 and
  // object a T, or 0 and null, or below zero and null, with a Python error set.
  Lookup(int status, PyObject* object) : object_(object), ok_(status >= 0) {
    assert((status > 0) == (object != nullptr));
    // So that nobody asks for both.
    if ((status > 0) != (object != nullptr)) __builtin_unreachable();
    assert(ok_ || internal::is_error_set());
  }
  Lookup(Failed /*error*/) : Lookup(-1, nullptr) {}  // NOLINT(google-explicit-constructor)
  Lookup(Owned<T>&& owner) : Lookup(1, std::move(owner).release()) {}  // NOLINT
  static Lookup nothing() { return {0, nullptr}; }
  Lookup(Lookup&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), ok_(other.ok_) {}
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() { Py_XDECREF(object_); }

  // False if a Python error is set.
  [[nodiscard]] bool ok() const { return ok_; }
  // Whether there is something.
  explicit operator bool() const { return object_ != nullptr; }

  // Borrows. Requires: found.
  Borrowed<T> operator*() const& { return Borrowed<T>(object_); }
  Borrowed<T> operator*() && = delete;
  Owned<T> take() && { return Owned<T>::steal(std::exchange(object_, nullptr)); }

 private:
  PyObject* object_;
  bool ok_;
};

}  // namespace tenure

// The value of a Result; on an error, returns from the function with the error still set. The
// function answers a Result, a PyObject* or a status that is -1 on errors.
#define TENURE_TRY(expression) TENURE_TRY_AS(expression, TENURE_TRY_NAME(__COUNTER__))
// A name of its own for each, so that one may stand in another.
#define TENURE_TRY_NAME(number) TENURE_TRY_JOIN(tenure_result_, number)
#define TENURE_TRY_JOIN(a, b) a##b
// NOLINTBEGIN(bugprone-macro-parentheses): result is a name.
#define TENURE_TRY_AS(expression, result) \
  __extension__({                         \
    auto result = (expression);           \
    if (!result) [[unlikely]]             \
      return ::tenure::Failed{};          \
    std::move(result).take();             \
  })
// NOLINTEND(bugprone-macro-parentheses)

#include "tenure/handles/object.h"

#endif  // TENURE_HANDLES_RESULT_H_
