// Strong: a strong reference that may be absent, for the library's own code.
//
// Takes what a C API call that returns a new reference gives, null included, and gives it back to
// the interpreter at the end of the scope:
//
//   Strong name = PyUnicode_FromString("x");
//   if (!name) return nullptr;  // the Python error is set
//
// Not for: the interface of extension modules. There, handles/ say what the object is and cannot
// be null.
//
// Thread safety: attached for everything, destruction included.
#ifndef TENURE_CORE_STRONG_H_
#define TENURE_CORE_STRONG_H_

#include <utility>

#include "tenure/core/abi/python.h"

namespace tenure {

class [[nodiscard]] Strong {
 public:
  Strong() = default;
  // Steals. Null is allowed.
  Strong(PyObject* object) : object_(object) {}  // NOLINT(google-explicit-constructor)
  Strong(Strong&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  // The old object goes last: its destructor may run code that looks at this one.
  Strong& operator=(Strong&& other) noexcept {
    PyObject* old = std::exchange(object_, std::exchange(other.object_, nullptr));
    Py_XDECREF(old);
    return *this;
  }
  Strong(const Strong&) = delete;
  Strong& operator=(const Strong&) = delete;
  ~Strong() { Py_XDECREF(object_); }

  explicit operator bool() const { return object_ != nullptr; }

  // Borrows; null if there is none.
  [[nodiscard]] PyObject* get() const { return object_; }

  // Gives the reference away.
  [[nodiscard]] PyObject* release() && { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_ = nullptr;
};

}  // namespace tenure

#endif  // TENURE_CORE_STRONG_H_
