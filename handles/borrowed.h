// Borrowed<T>: a reference that somebody else keeps alive.
//
// One pointer, trivially copied, never null, no destructor. Use it for parameters and for looking
// into containers; make an Owned with new_ref() before anything can drop the owner's reference.
//
// Not for: members that outlive the call (use Owned), or values that may be absent (use
// std::optional<Borrowed<T>>).
//
// Thread safety: copying and dropping on any thread; everything else attached.
#ifndef TENURE_HANDLES_BORROWED_H_
#define TENURE_HANDLES_BORROWED_H_

#include <cassert>
#include <cstddef>

#include "tenure/core/attach.h"

namespace tenure {

// What a handle is to: the tag of objects about which no more is known.
struct Object {};

template <typename T>
class Owned;

template <typename T = Object>
class [[nodiscard]] Borrowed {
 public:
  // Requires: object is a T and not null; somebody owns it for as long as this is used.
  explicit Borrowed(PyObject* object) : object_(object) { assert(object != nullptr); }
  Borrowed(std::nullptr_t) = delete;

  // A handle to what a temporary owns would dangle at the semicolon.
  Borrowed(const Owned<T>& owner) : object_(owner.get()) {}  // NOLINT(google-explicit-constructor)
  Borrowed(const Owned<T>&&) = delete;

  [[nodiscard]] PyObject* get() const { return object_; }

  // Makes a strong reference. Requires: attached.
  Owned<T> new_ref() const;

 private:
  PyObject* object_;
};

}  // namespace tenure

#include "tenure/handles/owned.h"

#endif  // TENURE_HANDLES_BORROWED_H_
