// Owned<T>: a strong reference, given back when it goes out of scope.
//
// One pointer; costs what Py_DECREF costs. Moves, never copies: a second reference is made in the
// open, with new_ref(). A moved-from Owned is empty and may only be destroyed or assigned to.
//
// Not for: references that may be dropped on a thread that is not attached.
//
// Thread safety: attached for everything, destruction included.
#ifndef TENURE_HANDLES_OWNED_H_
#define TENURE_HANDLES_OWNED_H_

#include <cassert>
#include <cstddef>
#include <utility>

#include "tenure/handles/borrowed.h"

namespace tenure {

template <typename T = Object>
class [[nodiscard]] Owned {
 public:
  // Takes over a new reference: steals. Requires: object is a T and not null.
  static Owned steal(PyObject* object) {
    assert(object != nullptr);
    return Owned(object);
  }
  static Owned steal(std::nullptr_t) = delete;

  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

  Owned& operator=(Owned&& other) noexcept {
    // The old object goes last: its destructor may run code that looks at this handle.
    PyObject* old = std::exchange(object_, std::exchange(other.object_, nullptr));
    drop(old);
    return *this;
  }

  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  ~Owned() { drop(object_); }

  // Borrows. Requires: not moved from.
  [[nodiscard]] PyObject* get() const {
    assert(object_ != nullptr);
    return object_;
  }

  Borrowed<T> borrow() const& { return Borrowed<T>(get()); }
  Borrowed<T> borrow() && = delete;

  // A second strong reference to the same object.
  Owned new_ref() const { return Owned(Py_NewRef(get())); }

  // Gives the reference away: the caller, or whom the caller hands it to, gives it back.
  [[nodiscard]] PyObject* release() && {
    assert(object_ != nullptr);
    return std::exchange(object_, nullptr);
  }

 private:
  explicit Owned(PyObject* object) : object_(object) {}

  static void drop(PyObject* object) {
    if (object == nullptr) return;
    assert(is_attached());
    Py_DECREF(object);
  }

  PyObject* object_;
};

template <typename T>
Owned<T> Borrowed<T>::new_ref() const {
  return Owned<T>::steal(Py_NewRef(object_));
}

}  // namespace tenure

#endif  // TENURE_HANDLES_OWNED_H_
