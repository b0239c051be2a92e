// Result<T>: an Owned<T>, or the Python error that is set instead of it.
//
// Pointer-sized: null means that a Python exception is pending. Wraps calls of the C API that
// return a new reference:
//
//   Result<> name = PyUnicode_FromString("x");
//   if (!name) return nullptr;
//   use(name.value());
//
// Thread safety: as Owned.
#ifndef TENURE_HANDLES_RESULT_H_
#define TENURE_HANDLES_RESULT_H_

#include <cassert>
#include <utility>

#include "tenure/handles/owned.h"

namespace tenure {

template <typename T = Object>
class [[nodiscard]] Result {
 public:
  // Steals. Requires: object is a new reference, or null with a Python error set.
  Result(PyObject* object) : object_(object) {  // NOLINT(google-explicit-constructor)
    assert(object != nullptr || PyErr_Occurred() != nullptr);
  }
  Result(Owned<T>&& owner)  // NOLINT(google-explicit-constructor)
      : object_(std::move(owner).release()) {}
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
  [[nodiscard]] PyObject* value() const {
    assert(object_ != nullptr);
    return object_;
  }

  // Requires: no error.
  Owned<T> take() && { return Owned<T>::steal(std::exchange(object_, nullptr)); }

  // A new reference, or null with the error still set: what a C function of Python returns.
  [[nodiscard]] PyObject* release() && { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_RESULT_H_
