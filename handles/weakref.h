// WeakRef<T>: the view of weak references to a T, which do not keep it alive.
//
//   Owned<WeakRef<>> weak = TENURE_TRY(WeakRef<>::make(listener));
//   ...
//   Lookup<> alive = weak.lock();
//   if (!alive.ok()) return Failed{};
//   if (alive) TENURE_TRY(notify(*alive));
//
// The only safe question is lock(): that an object lives says nothing about the next moment, unless
// one holds it.
//
// Not for: types that have no room for it, such as int, str, list and tuple; making one is a
// TypeError. Proxies, which Python code mistakes for the object.
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_WEAKREF_H_
#define TENURE_HANDLES_WEAKREF_H_

#include <concepts>

#include "tenure/handles/object.h"
#include "tenure/handles/raise.h"

namespace tenure {

template <std::derived_from<Object> T = Object>
class WeakRef : public Object {
 public:
  static constexpr const char* kName = "weak reference";
  // Whether it is a weak reference; to what, lock() finds out.
  static bool check(PyObject* object) { return PyWeakref_CheckRef(object); }

  // Errors: TypeError if there are no weak references to objects of this type; MemoryError.
  static Result<WeakRef> make(const T& target) { return PyWeakref_NewRef(target.get(), nullptr); }

  // The same; the callback is called with the weak reference when the target dies, if the weak
  // reference still lives then. What it raises is reported as unraisable. Errors: as above.
  static Result<WeakRef> make(const T& target, const Object& callback) {
    return PyWeakref_NewRef(target.get(), callback.get());
  }

  // A strong reference to the target, or nothing when it is dead. Errors: TypeError if it is no T.
  [[nodiscard]] Lookup<T> lock() const {
    PyObject* target = nullptr;
    const int status = PyWeakref_GetRef(get(), &target);
    if (status > 0 && !T::check(target)) [[unlikely]] {
      const Owned<> owner = Owned<>::steal(target);
      return raise_type_error("expected a weak reference to %s, got one to %T", T::kName, owner);
    }
    return {status, target};
  }

 protected:
  using Object::Object;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_WEAKREF_H_
