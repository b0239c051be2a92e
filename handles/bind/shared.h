// Classes whose objects are held by std::shared_ptr, together with C++ code.
//
// For T of which ClassTraits say kShared. A std::shared_ptr<T> is taken and answered without a copy
// of the object; null is None. Each answer is a new Python object: two of one C++ object are not
// `is` each other.
//
// Thread safety: attached. std::shared_ptr counts atomically; the object is its author's affair.
#ifndef TENURE_HANDLES_BIND_SHARED_H_
#define TENURE_HANDLES_BIND_SHARED_H_

#include <memory>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/instance.h"

namespace tenure {
namespace bind {

template <typename T>
  requires std::is_class_v<T>
struct SharedStorage<T, void> {
  using Type = std::shared_ptr<T>;
  static T& get(std::shared_ptr<T>& value) { return *value; }

  template <typename... A>
  static void make(std::shared_ptr<T>* place, A&&... arguments) {
    ::new (place) std::shared_ptr<T>(std::make_shared<T>(std::forward<A>(arguments)...));
  }
};

}  // namespace bind

template <typename T>
struct FromPython<std::shared_ptr<T>> : FromPython<T> {
  static_assert(bind::kStored<T> == Stored::kShared,
                "instances of this class do not share their object: say so in ClassTraits");
  std::shared_ptr<T> get() { return bind::instance<T>(this->given)->value; }
};

template <typename T>
struct ToPython<std::shared_ptr<T>> {
  static_assert(bind::kStored<T> == Stored::kShared,
                "instances of this class do not share their object: say so in ClassTraits");
  static inline const char* const& kAnnotation = bind::class_info<T>.annotation;
  static constexpr bool kOrNone = true;
  static PyObject* convert(std::shared_ptr<T>&& value) {
    if (value == nullptr) return Py_NewRef(Py_None);
    return bind::answer_instance<T>(
        [&](std::shared_ptr<T>* place) { ::new (place) std::shared_ptr<T>(std::move(value)); });
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_SHARED_H_
