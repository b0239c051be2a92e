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
#include <concepts>
#include <cstddef>

#include "tenure/handles/view.h"

namespace tenure {

template <typename T>
class [[nodiscard]] Borrowed : public T {
 public:
  // Requires: object is a T and not null; somebody owns it for as long as this is used.
  explicit Borrowed(PyObject* object) : T(object) { assert(object != nullptr); }
  Borrowed(std::nullptr_t) = delete;

  // Of what is known to be more than a T.
  template <std::derived_from<T> U>
  Borrowed(Borrowed<U> other) : T(other.get()) {}  // NOLINT(google-explicit-constructor)

  template <std::derived_from<T> U>
  Borrowed(const Owned<U>& owner) : T(owner.get()) {}  // NOLINT(google-explicit-constructor)

  // A handle to what a temporary owns would dangle at the semicolon.
  template <std::derived_from<T> U>
  Borrowed(const Owned<U>&&) = delete;

  // Makes a strong reference. Requires: attached.
  Owned<T> new_ref() const;
};

}  // namespace tenure

#include "tenure/handles/owned.h"

#endif  // TENURE_HANDLES_BORROWED_H_
