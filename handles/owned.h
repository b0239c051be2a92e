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
#include <concepts>
#include <cstddef>
#include <optional>
#include <utility>

#include "tenure/handles/borrowed.h"

namespace tenure {

template <typename T>
class [[nodiscard]] Owned : public T {
 public:
  // Takes over a new reference: steals. Requires: object is a T and not null.
  static Owned steal(PyObject* object) {
    assert(object != nullptr);
    return Owned(object);
  }
  static Owned steal(std::nullptr_t) = delete;

  Owned(Owned&& other) noexcept : T(std::exchange(other.object_, nullptr)) {}

  // Of what is known to be more than a T.
  template <std::derived_from<T> U>
    requires(!std::same_as<U, T>)
  Owned(Owned<U>&& other) noexcept  // NOLINT(google-explicit-constructor)
      : T(std::move(other).release()) {}

  Owned& operator=(Owned&& other) noexcept {
    // The old object goes last: its destructor may run code that looks at this handle.
    PyObject* old = std::exchange(this->object_, std::exchange(other.object_, nullptr));
    drop(old);
    return *this;
  }

  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  ~Owned() { drop(this->object_); }

  Borrowed<T> borrow() const& { return Borrowed<T>(this->get()); }
  Borrowed<T> borrow() && = delete;

  // The same object as a U, TypeError if it is none. A temporary gives its reference to the answer,
  // in which a borrowed one would dangle at the semicolon.
  template <View U>
  Result<Borrowed<U>> as() const&;
  template <View U>
  Result<U> as() &&;
  // The same without an error.
  template <View U>
  std::optional<Borrowed<U>> try_as() const&;
  template <View U>
  std::optional<Owned<U>> try_as() &&;

  // The view's, for all but temporaries: what they answer would dangle at the semicolon.
  template <typename Index>
    requires requires(const T& view, Index i) { view[i]; }
  [[nodiscard]] auto operator[](Index i) const& {
    return static_cast<const T&>(*this)[i];
  }
  template <typename Index>
  void operator[](Index i) && = delete;
#define TENURE_NOT_OF_TEMPORARIES(name)                                                   \
  template <typename... Arguments>                                                        \
    requires requires(const T& view, Arguments... arguments) { view.name(arguments...); } \
  [[nodiscard]] auto name(Arguments... arguments) const& {                                \
    return static_cast<const T&>(*this).name(arguments...);                               \
  }                                                                                       \
  template <typename... Arguments>                                                        \
  void name(Arguments... arguments) && = delete
  TENURE_NOT_OF_TEMPORARIES(dict);
  TENURE_NOT_OF_TEMPORARIES(span);
  TENURE_NOT_OF_TEMPORARIES(unsafe_borrowed);
  TENURE_NOT_OF_TEMPORARIES(utf8);
  TENURE_NOT_OF_TEMPORARIES(view);
#undef TENURE_NOT_OF_TEMPORARIES

  // A second strong reference to the same object.
  Owned new_ref() const {
    assert(is_attached());
    return Owned(Py_NewRef(this->get()));
  }

  // Gives the reference away: the caller, or whom the caller hands it to, gives it back.
  [[nodiscard]] PyObject* release() && {
    assert(this->object_ != nullptr);
    return std::exchange(this->object_, nullptr);
  }

 private:
  explicit Owned(PyObject* object) : T(object) {}

  static void drop(PyObject* object) {
    if (object == nullptr) return;
    assert(is_attached());
    Py_DECREF(object);
  }
};

template <typename T>
Owned<T> Borrowed<T>::new_ref() const {
  assert(is_attached());
  return Owned<T>::steal(Py_NewRef(this->get()));
}

}  // namespace tenure

#include "tenure/handles/result.h"

#endif  // TENURE_HANDLES_OWNED_H_
