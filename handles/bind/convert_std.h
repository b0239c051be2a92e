// Conversions of the standard library's containers: copies, both ways.
//
//   std::string                           str, as UTF-8
//   std::vector<T>                        any sequence but str, bytes and bytearray; to a list
//   std::array<T, n>                      the same of n items
//   std::pair, std::tuple                 a sequence of as many items; to a tuple
//   std::map, std::unordered_map          dict
//   std::set, std::unordered_set          set, frozenset
//   std::complex<double>                  complex, float, int
//   std::variant<A, B...>                 the first of them that the argument is
//
// Items are converted like arguments. An item that cannot be is an error that says which:
// "item 3: must be real number, not str".
//
// Not for: much data; a Buffer reads an array without a copy, a Borrowed<List> a list.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_CONVERT_STD_H_
#define TENURE_HANDLES_BIND_CONVERT_STD_H_

#include <array>
#include <complex>
#include <concepts>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "tenure/handles/bind/convert.h"
#include "tenure/handles/complex.h"

namespace tenure {
namespace bind {

// The sequence as a list or tuple, a new reference; null without an error if it is none, or is text
// or bytes, which are hardly ever meant as a sequence of their parts.
PyObject* items_of(PyObject* object);

// Puts "item N: " in front of the message of the error that is set; or sets a TypeError.
void refuse_item(Py_ssize_t index, PyObject* item, const char* expected);

// Converts one item of many. False with an error set.
template <typename T>
bool load_item(FromPython<T>& loader, PyObject* item, Py_ssize_t index) {
  if (loader.load(item)) return true;
  refuse_item(index, item, FromPython<T>::kExpected);
  return false;
}

// Calls take(item, index) for each item; false if one of them did, or if it is no sequence.
template <typename Take>
bool for_each_item(PyObject* object, Py_ssize_t wanted, const Take& take) {
  PyObject* const given = items_of(object);
  if (given == nullptr) return false;
  const Owned<> items = Owned<>::steal(given);
  if (wanted >= 0 && PySequence_Fast_GET_SIZE(given) != wanted) {
    PyErr_Format(PyExc_ValueError, "%zd items are expected, not %zd", wanted,
                 PySequence_Fast_GET_SIZE(given));
    return false;
  }
  // A list may change meanwhile: converting its items may run Python code.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(given); ++i) {
    const Owned<> item = Borrowed<>(PySequence_Fast_GET_ITEM(given, i)).new_ref();
    if (!take(item.get(), i)) return false;
  }
  if (wanted >= 0 && PySequence_Fast_GET_SIZE(given) != wanted) {
    PyErr_SetString(PyExc_RuntimeError, "the sequence changed while it was read");
    return false;
  }
  return true;
}

// What refers to an item may dangle in a container: the sequence may drop it, or have made it only
// to be asked for it.
template <typename T>
inline constexpr bool kMayBeKept = !std::is_same_v<T, std::string_view> && !std::is_pointer_v<T>;
template <typename T>
inline constexpr bool kMayBeKept<Borrowed<T>> = false;
template <typename T>
inline constexpr bool kMayBeKept<std::optional<T>> = kMayBeKept<T>;

template <typename T>
PyObject* store(T&& value) {
  return ToPython<std::remove_cvref_t<T>>::convert(std::forward<T>(value));
}

// Adds each of them to a new container. Null with an error set.
template <typename Range, typename Add>
PyObject* store_each(PyObject* made, Range&& range, const Add& add) {
  if (made == nullptr) return nullptr;
  Owned<> container = Owned<>::steal(made);
  for (auto&& one : range) {
    if (!add(made, one)) return nullptr;
  }
  return std::move(container).release();
}

template <typename C>
struct LoadList {
  using T = typename C::value_type;
  static_assert(
      kMayBeKept<T>,
      "what refers to an item may not outlive it: use std::string for text, Owned for objects");
  static constexpr const char* kExpected = "sequence";
  static constexpr const char* kAnnotation = "list";

  bool load(PyObject* object) {
    return for_each_item(object, -1, [&](PyObject* item, Py_ssize_t index) {
      FromPython<T> loader;
      if (!load_item(loader, item, index)) return false;
      value.push_back(loader.get());
      return true;
    });
  }
  C get() { return std::move(value); }

  C value;
};

template <typename C>
struct LoadSet {
  using T = typename C::value_type;
  static_assert(
      kMayBeKept<T>,
      "what refers to an item may not outlive it: use std::string for text, Owned for objects");
  static constexpr const char* kExpected = "set";
  static constexpr const char* kAnnotation = "set";

  bool load(PyObject* object) {
    if (!PyAnySet_Check(object)) return false;
    // A set may not change while it is iterated over.
    PyObject* const copy = PySequence_List(object);
    if (copy == nullptr) return false;
    const Owned<> items = Owned<>::steal(copy);
    return for_each_item(copy, -1, [&](PyObject* item, Py_ssize_t index) {
      FromPython<T> loader;
      if (!load_item(loader, item, index)) return false;
      value.insert(loader.get());
      return true;
    });
  }
  C get() { return std::move(value); }

  C value;
};

template <typename C>
struct LoadDict {
  using K = typename C::key_type;
  using V = typename C::mapped_type;
  static_assert(
      kMayBeKept<K> && kMayBeKept<V>,
      "what refers to an item may not outlive it: use std::string for text, Owned for objects");
  static constexpr const char* kExpected = "dict";
  static constexpr const char* kAnnotation = "dict";

  bool load(PyObject* object) {
    if (!PyDict_Check(object)) return false;
    PyObject* const copy = PyDict_Items(object);
    if (copy == nullptr) return false;
    const Owned<> items = Owned<>::steal(copy);
    return for_each_item(copy, -1, [&](PyObject* item, Py_ssize_t index) {
      FromPython<K> key;
      FromPython<V> mapped;
      if (!load_item(key, PyTuple_GET_ITEM(item, 0), index) ||
          !load_item(mapped, PyTuple_GET_ITEM(item, 1), index)) {
        return false;
      }
      value.insert_or_assign(key.get(), mapped.get());
      return true;
    });
  }
  C get() { return std::move(value); }

  C value;
};

template <typename C>
struct StoreList {
  static constexpr const char* kAnnotation = "list";
  static PyObject* convert(C value) {
    return store_each(PyList_New(0), value, [](PyObject* list, auto& one) {
      PyObject* const item = store(static_cast<typename C::value_type>(std::move(one)));
      if (item == nullptr) return false;
      const Owned<> owner = Owned<>::steal(item);
      return PyList_Append(list, item) == 0;
    });
  }
};

template <typename C>
struct StoreSet {
  static constexpr const char* kAnnotation = "set";
  static PyObject* convert(C value) {
    return store_each(PySet_New(nullptr), value, [](PyObject* set, const auto& one) {
      PyObject* const item = store(typename C::value_type(one));
      if (item == nullptr) return false;
      const Owned<> owner = Owned<>::steal(item);
      return PySet_Add(set, item) == 0;
    });
  }
};

template <typename C>
struct StoreDict {
  static constexpr const char* kAnnotation = "dict";
  static PyObject* convert(C value) {
    return store_each(PyDict_New(), value, [](PyObject* dict, auto& one) {
      PyObject* const key = store(typename C::key_type(one.first));
      if (key == nullptr) return false;
      const Owned<> key_owner = Owned<>::steal(key);
      PyObject* const mapped = store(typename C::mapped_type(std::move(one.second)));
      if (mapped == nullptr) return false;
      const Owned<> owner = Owned<>::steal(mapped);
      return PyDict_SetItem(dict, key, mapped) == 0;
    });
  }
};

// Of a std::pair, a std::tuple or a std::array.
template <typename Tuple, typename Indices = std::make_index_sequence<std::tuple_size_v<Tuple>>>
struct LoadTuple;
template <typename Tuple, size_t... I>
struct LoadTuple<Tuple, std::index_sequence<I...>> {
  static_assert(
      (kMayBeKept<std::tuple_element_t<I, Tuple>> && ...),
      "what refers to an item may not outlive it: use std::string for text, Owned for objects");
  static constexpr const char* kExpected = "sequence";
  static constexpr const char* kAnnotation = "tuple";

  bool load(PyObject* object) {
    const auto one = [&]<size_t kIndex>(PyObject* item, Py_ssize_t index) {
      if (index != static_cast<Py_ssize_t>(kIndex)) return true;
      return load_item(std::get<kIndex>(loaders), item, index);
    };
    return for_each_item(object, sizeof...(I), [&](PyObject* item, Py_ssize_t index) {
      items.push_back(Borrowed<>(item).new_ref());
      return (one.template operator()<I>(item, index) && ...);
    });
  }
  Tuple get() { return Tuple{std::get<I>(loaders).get()...}; }

  std::tuple<FromPython<std::tuple_element_t<I, Tuple>>...> loaders;
  // What a loader refers to.
  std::vector<Owned<>> items;
};

template <typename Tuple>
struct StoreTuple {
  static constexpr const char* kAnnotation = "tuple";
  static PyObject* convert(Tuple value) {
    PyObject* const made = PyTuple_New(std::tuple_size_v<Tuple>);
    if (made == nullptr) return nullptr;
    Owned<> tuple = Owned<>::steal(made);
    Py_ssize_t index = 0;
    const auto put = [&](PyObject* item) {
      if (item != nullptr) PyTuple_SET_ITEM(made, index++, item);
      return item != nullptr;
    };
    const bool is_well =
        std::apply([&](auto&... one) { return (put(store(std::move(one))) && ...); }, value);
    return is_well ? std::move(tuple).release() : nullptr;
  }
};

}  // namespace bind

template <>
struct FromPython<std::string> {
  static constexpr const char* kExpected = "str";
  static constexpr const char* kAnnotation = "str";
  bool load(PyObject* object) { return loader.load(object); }
  std::string get() { return std::string(loader.get()); }
  FromPython<std::string_view> loader;
};
template <>
struct ToPython<std::string> {
  static constexpr const char* kAnnotation = "str";
  static PyObject* convert(const std::string& value) {
    return ToPython<std::string_view>::convert(value);
  }
};

template <>
struct FromPython<std::complex<double>> {
  static constexpr const char* kExpected = "complex";
  static constexpr const char* kAnnotation = "complex";
  bool load(PyObject* object) {
    Result<std::complex<double>> number = Complex::from(Borrowed<>(object));
    if (!number) return false;
    value = *number;
    return true;
  }
  std::complex<double> get() { return value; }
  std::complex<double> value;
};
template <>
struct ToPython<std::complex<double>> {
  static constexpr const char* kAnnotation = "complex";
  static PyObject* convert(std::complex<double> value) { return Complex::make(value).release(); }
};

template <typename T>
struct FromPython<std::vector<T>> : bind::LoadList<std::vector<T>> {};
template <typename T>
struct ToPython<std::vector<T>> : bind::StoreList<std::vector<T>> {};

template <typename T, size_t kSize>
struct FromPython<std::array<T, kSize>> : bind::LoadTuple<std::array<T, kSize>> {};
template <typename T, size_t kSize>
struct ToPython<std::array<T, kSize>> : bind::StoreTuple<std::array<T, kSize>> {};

template <typename A, typename B>
struct FromPython<std::pair<A, B>> : bind::LoadTuple<std::pair<A, B>> {};
template <typename A, typename B>
struct ToPython<std::pair<A, B>> : bind::StoreTuple<std::pair<A, B>> {};

template <typename... T>
struct FromPython<std::tuple<T...>> : bind::LoadTuple<std::tuple<T...>> {};
template <typename... T>
struct ToPython<std::tuple<T...>> : bind::StoreTuple<std::tuple<T...>> {};

template <typename K, typename V>
struct FromPython<std::map<K, V>> : bind::LoadDict<std::map<K, V>> {};
template <typename K, typename V>
struct ToPython<std::map<K, V>> : bind::StoreDict<std::map<K, V>> {};
template <typename K, typename V>
struct FromPython<std::unordered_map<K, V>> : bind::LoadDict<std::unordered_map<K, V>> {};
template <typename K, typename V>
struct ToPython<std::unordered_map<K, V>> : bind::StoreDict<std::unordered_map<K, V>> {};

template <typename T>
struct FromPython<std::set<T>> : bind::LoadSet<std::set<T>> {};
template <typename T>
struct ToPython<std::set<T>> : bind::StoreSet<std::set<T>> {};
template <typename T>
struct FromPython<std::unordered_set<T>> : bind::LoadSet<std::unordered_set<T>> {};
template <typename T>
struct ToPython<std::unordered_set<T>> : bind::StoreSet<std::unordered_set<T>> {};

// Exact types first would be another rule to know: the order of the alternatives is the order in
// which they are tried.
template <typename... T>
struct FromPython<std::variant<T...>> {
  static constexpr const char* kExpected = "of another type";
  static constexpr const char* kAnnotation = "object";

  bool load(PyObject* object) {
    return (load_one<T>(object) || ...) && PyErr_Occurred() == nullptr;
  }
  std::variant<T...> get() { return *std::move(value); }

  // True also where an error ends the search.
  template <typename One>
  bool load_one(PyObject* object) {
    FromPython<One> loader;
    if (!loader.load(object)) {
      if (PyErr_Occurred() == nullptr) return false;
      if (!PyErr_ExceptionMatches(PyExc_TypeError)) return true;
      PyErr_Clear();
      return false;
    }
    value.emplace(std::in_place_type<One>, loader.get());
    return true;
  }

  std::optional<std::variant<T...>> value;
};
template <typename... T>
struct ToPython<std::variant<T...>> {
  static constexpr const char* kAnnotation = "object";
  static PyObject* convert(std::variant<T...> value) {
    return std::visit([](auto& one) { return bind::store(std::move(one)); }, value);
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_CONVERT_STD_H_
