// What every module of `./dev bench literals` has and does with it: 1,000 texts, 1,000 names, 1,000
// ints and 500 tuples of a text, an int and a float. A Side says how an object is got hold of:
//
//   struct Side {
//     static bool start();                                 // when the module is imported
//     template <size_t kIndex> static PyObject* text();    // borrowed, as all of them
//     template <size_t kIndex> static PyObject* name();
//     template <size_t kIndex> static PyObject* number();
//     template <size_t kIndex> static PyObject* tuple();
//   };
#ifndef TENURE_BENCH_CPP_LITERALS_H_
#define TENURE_BENCH_CPP_LITERALS_H_

#include <cstddef>
#include <utility>

#include "tenure/core/abi/python.h"

namespace tenure::bench {

inline constexpr size_t kCount = 1'000;
inline constexpr size_t kTuples = 500;

template <size_t kSize>
struct Chars {
  char chars[kSize];
};

// A text with three digits in place of "###".
template <size_t kSize>
consteval Chars<kSize> numbered(const char (&text)[kSize], size_t number) {
  Chars<kSize> made{};
  for (size_t i = kSize; i-- > 0;) {
    made.chars[i] = text[i];
    if (text[i] != '#') continue;
    made.chars[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  return made;
}

template <size_t kIndex>
inline constexpr auto kText = numbered("message ###: the file cannot be read", kIndex);
template <size_t kIndex>
inline constexpr auto kName = numbered("attribute_###", kIndex);
template <size_t kIndex>
inline constexpr long long kNumber = 1'000'003LL * (kIndex + 1);
template <size_t kIndex>
inline constexpr double kFraction = static_cast<double>(kIndex) / 8;

inline bool has(PyObject* dict, PyObject* key) {
  return PyDict_GetItemWithError(dict, key) != nullptr;
}

template <typename Side>
struct Module {
  // How many texts, or names, are keys of the dict.
  template <size_t... kIndices>
  static size_t find_texts_of(PyObject* dict, std::index_sequence<kIndices...>) {
    size_t found = 0;
    ((found += has(dict, Side::template text<kIndices>())), ...);
    return found;
  }
  static PyObject* find_texts(PyObject*, PyObject* dict) {
    return PyLong_FromSize_t(find_texts_of(dict, std::make_index_sequence<kCount>()));
  }

  template <size_t... kIndices>
  static size_t find_names_of(PyObject* dict, std::index_sequence<kIndices...>) {
    size_t found = 0;
    ((found += has(dict, Side::template name<kIndices>())), ...);
    return found;
  }
  static PyObject* find_names(PyObject*, PyObject* dict) {
    return PyLong_FromSize_t(find_names_of(dict, std::make_index_sequence<kCount>()));
  }

  // A list of all objects.
  template <size_t... kIndices, size_t... kOfTuples>
  static PyObject* all_of(std::index_sequence<kIndices...>, std::index_sequence<kOfTuples...>) {
    PyObject* list = PyList_New(0);
    if (list == nullptr) return nullptr;
    (PyList_Append(list, Side::template text<kIndices>()), ...);
    (PyList_Append(list, Side::template name<kIndices>()), ...);
    (PyList_Append(list, Side::template number<kIndices>()), ...);
    (PyList_Append(list, Side::template tuple<kOfTuples>()), ...);
    return list;
  }
  static PyObject* all(PyObject*, PyObject*) {
    return all_of(std::make_index_sequence<kCount>(), std::make_index_sequence<kTuples>());
  }

  static PyObject* make(const char* name) {
    static PyMethodDef methods[] = {
        {"find_texts", find_texts, METH_O, nullptr},
        {"find_names", find_names, METH_O, nullptr},
        {"all", all, METH_NOARGS, nullptr},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyModuleDef definition = {PyModuleDef_HEAD_INIT};
    definition.m_name = name;
    definition.m_size = -1;
    definition.m_methods = methods;
    return Side::start() ? PyModule_Create(&definition) : nullptr;
  }
};

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_LITERALS_H_
