// What a bound class can do besides methods and operators: be iterated over, lend its memory, be
// pickled.
//
// Not for: including directly; class.h uses it.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_PROTOCOLS_H_
#define TENURE_HANDLES_BIND_PROTOCOLS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/function.h"
#include "tenure/handles/bind/self.h"

namespace tenure {

// Memory that an object lends through the buffer protocol: `shape` elements, the last index
// fastest. Read-only if E is const. Requires: it stays where it is for as long as the object lives,
// because nobody asks again.
template <typename E, size_t kDimensions>
struct Lent {
  E* data;
  Py_ssize_t shape[kDimensions];
};

namespace bind {

// What stands for an element in the buffer protocol; the struct module's letters.
template <typename E>
constexpr const char* format_of() {
  if constexpr (std::is_same_v<E, bool>) return "?";
  if constexpr (std::is_same_v<E, char> || std::is_same_v<E, std::byte>) return "B";
  if constexpr (std::is_same_v<E, signed char>) return "b";
  if constexpr (std::is_same_v<E, unsigned char>) return "B";
  if constexpr (std::is_same_v<E, short>) return "h";
  if constexpr (std::is_same_v<E, unsigned short>) return "H";
  if constexpr (std::is_same_v<E, int>) return "i";
  if constexpr (std::is_same_v<E, unsigned int>) return "I";
  if constexpr (std::is_same_v<E, long>) return "l";
  if constexpr (std::is_same_v<E, unsigned long>) return "L";
  if constexpr (std::is_same_v<E, long long>) return "q";
  if constexpr (std::is_same_v<E, unsigned long long>) return "Q";
  if constexpr (std::is_same_v<E, float>) return "f";
  if constexpr (std::is_same_v<E, double>) return "d";
  // Such as std::complex.
  if constexpr (requires { sizeof(typename E::value_type); }) {
    if constexpr (std::is_same_v<typename E::value_type, float>) return "Zf";
    if constexpr (std::is_same_v<typename E::value_type, double>) return "Zd";
  }
  return nullptr;
}

// Fills a request. Steals nothing; `self` is kept alive by the view. 0, or -1 with BufferError set.
int lend(PyObject* self, Py_buffer* view, int flags, void* data, bool is_readonly,
         const char* format, Py_ssize_t item_size, int dimensions, const Py_ssize_t* shape);
void give_back(PyObject* self, Py_buffer* view);

template <typename T, auto kFunction>
struct Lender {
  template <typename E, size_t kDimensions>
  static int fill(PyObject* self, Py_buffer* view, int flags, const Lent<E, kDimensions>& lent) {
    using Element = std::remove_const_t<E>;
    static_assert(format_of<Element>() != nullptr, "the buffer protocol has no such elements");
    return lend(self, view, flags, const_cast<Element*>(lent.data), std::is_const_v<E>,
                format_of<Element>(), sizeof(E), kDimensions, lent.shape);
  }

  static int get(PyObject* self, Py_buffer* view, int flags) {
    view->obj = nullptr;
    int status = -1;
    guarded<false>([&]() -> PyObject* {
      if (!is_usable<T>(self)) return refuse_self(self);
      status = fill(self, view, flags, call<kFunction>(object_of<T>(self)));
      return nullptr;
    });
    return status;
  }
};

// What holds an item or an error: of a handle, its view's.
template <typename I>
struct ItemResult {
  using Type = Result<I>;
};
template <typename V>
struct ItemResult<Owned<V>> {
  using Type = Result<V>;
};

// Items of an object, by index: the object may change meanwhile, and ends the iteration where it
// ends. As in Python an iteration that has ended does not go on.
template <typename T, auto kItems>
struct ItemIterator {
  Owned<> owner;
  size_t next = 0;

  static auto& items(T& object) {
    if constexpr (std::is_member_object_pointer_v<decltype(kItems)>) {
      return object.*kItems;
    } else {
      return call<kItems>(object);
    }
  }

  using Item = std::remove_cvref_t<decltype(items(std::declval<T&>())[size_t{0}])>;

  // A copy, and of a reference another one.
  static Item copy(const Item& item) {
    if constexpr (requires { item.new_ref(); }) {
      return item.new_ref();
    } else {
      return item;
    }
  }

  std::optional<Item> step() {
    if (is_usable<T>(owner.get())) {
      auto& all = items(object_of<T>(owner.get()));
      if (next < all.size()) return copy(all[next++]);
    }
    next = SIZE_MAX;
    return std::nullopt;
  }

  static Py_ssize_t size(T& object) { return static_cast<Py_ssize_t>(items(object).size()); }

  // As lists do: below zero from the end.
  static typename ItemResult<Item>::Type at(T& object, Py_ssize_t index) {
    auto& all = items(object);
    const auto count = static_cast<Py_ssize_t>(all.size());
    if (index < 0) index += count;
    if (index < 0 || index >= count) {
      PyErr_SetString(PyExc_IndexError, "index out of range");
      return Failed{};
    }
    return copy(all[static_cast<size_t>(index)]);
  }

  static ItemIterator of(Borrowed<> self) { return {self.new_ref(), 0}; }
};

// What __reduce__ answers: (type(self), arguments), with the __dict__ if there is one. Steals
// arguments, null with an error set included.
PyObject* reduce(PyObject* self, PyObject* arguments);

template <typename T, auto kFunction>
struct Pickler {
  static PyObject* reduce_method(PyObject* self, PyObject* /*nothing*/) {
    return guarded<false>([&]() -> PyObject* {
      if (!is_usable<T>(self)) return refuse_self(self);
      using R = typename Signature<kFunction>::Return;
      return reduce(
          self, answer<R>([&]() -> decltype(auto) { return call<kFunction>(object_of<T>(self)); }));
    });
  }
};

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_PROTOCOLS_H_
