#include "tenure/immortal/graph/portable_hash.h"

#include <cmath>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/strong.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenure::graph {
namespace {

// Deeper keys are rare, and the machine's stack ends somewhere.
constexpr int kMostNested = 64;

// Keep values of different types apart that would be alike otherwise.
constexpr uint64_t kBytes = 0x9fb21c651e98df25;
constexpr uint64_t kNone = 0x6a09e667f3bcc908;
constexpr uint64_t kEllipsis = 0xbb67ae8584caa73b;
constexpr uint64_t kNotANumber = 0x3c6ef372fe94f82b;
constexpr uint64_t kTuple = 0xa54ff53a5f1d36f1;
constexpr uint64_t kSet = 0x510e527fade682d1;
constexpr uint64_t kMapping = 0x9b05688c2b3e6c1f;
constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;

// Every bit of the result depends on every bit of the number.
uint64_t mixed(uint64_t number) {
  number = (number ^ (number >> 32)) * 0xd6e8feb86659fd93;
  number = (number ^ (number >> 32)) * 0xd6e8feb86659fd93;
  return number ^ (number >> 32);
}

// In order: what was before counts otherwise than what comes now.
uint64_t joined(uint64_t before, uint64_t now) { return mixed(before * kOdd + now); }

bool hash_of(PyObject* key, uint64_t& hash, int depth);

// Equal numbers have the same hash in Python, and it is the same in every process.
bool hash_of_number(PyObject* key, uint64_t& hash) {
  const Py_hash_t plain = PyObject_Hash(key);
  if (plain == -1) {
    PyErr_Clear();
    return false;
  }
  hash = mixed(static_cast<uint64_t>(plain));
  return true;
}

// Python's hash of a NaN is one of its address: it is equal to nothing but itself.
bool hash_of_float(PyObject* key, uint64_t& hash) {
  if (!std::isnan(PyFloat_AS_DOUBLE(key))) return hash_of_number(key, hash);
  hash = kNotANumber;
  return true;
}

bool hash_of_complex(PyObject* key, uint64_t& hash) {
  if (!std::isnan(PyComplex_RealAsDouble(key)) && !std::isnan(PyComplex_ImagAsDouble(key))) {
    return hash_of_number(key, hash);
  }
  hash = kNotANumber;
  return true;
}

bool hash_of_bytes(PyObject* key, uint64_t& hash) {
  hash = kBytes ^ XXH3_64bits(PyBytes_AS_STRING(key), static_cast<size_t>(PyBytes_GET_SIZE(key)));
  return true;
}

bool hash_of_tuple(PyObject* key, uint64_t& hash, int depth) {
  hash = kTuple;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) {
    uint64_t item;
    if (!hash_of(PyTuple_GET_ITEM(key, i), item, depth)) return false;
    hash = joined(hash, item);
  }
  return true;
}

// Sums, because the order of a set's elements says nothing.
bool hash_of_set(PyObject* key, uint64_t& hash, int depth) {
  // The type's own, whatever a subclass has.
  const Strong elements = PyFrozenSet_Type.tp_iter(key);
  uint64_t sum = 0;
  bool known = static_cast<bool>(elements);
  while (known) {
    const Strong element = PyIter_Next(elements.get());
    if (!element) break;
    uint64_t one;
    known = hash_of(element.get(), one, depth);
    sum += mixed(one ^ kSet);
  }
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    known = false;
  }
  hash = joined(kSet, sum);
  return known;
}

bool hash_of_mapping(PyObject* key, uint64_t& hash, int depth) {
  const abi::FrozenDictObject* dict = abi::as_frozen_dict(key);
  const abi::FrozenEntry* entries = abi::entries_of(dict);
  uint64_t sum = 0;
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    uint64_t name;
    uint64_t value;
    if (!hash_of(entries[i].key, name, depth) || !hash_of(entries[i].value, value, depth)) {
      return false;
    }
    sum += joined(joined(kMapping, name), value);
  }
  hash = joined(kMapping, sum);
  return true;
}

// Whether objects of the type hash and compare as those of the built-in one.
bool behaves_as(const PyTypeObject* type, const PyTypeObject* built_in) {
  return type->tp_hash == built_in->tp_hash && type->tp_richcompare == built_in->tp_richcompare;
}

// The built-in type that the object is an instance of, itself or by a base. Null if there is none.
PyTypeObject* built_in_of(PyObject* key) {
  if (PyUnicode_Check(key)) return &PyUnicode_Type;
  if (PyLong_Check(key)) return &PyLong_Type;
  if (PyTuple_Check(key)) return &PyTuple_Type;
  if (PyBytes_Check(key)) return &PyBytes_Type;
  for (PyTypeObject* built_in : {&PyFloat_Type, &PyFrozenSet_Type, &PyComplex_Type}) {
    if (PyObject_TypeCheck(key, built_in)) return built_in;
  }
  return nullptr;
}

bool hash_of(PyObject* key, uint64_t& hash, int depth) {
  PyTypeObject* type = Py_TYPE(key);
  if (type == &PyUnicode_Type) {
    hash = portable_hash_of_str(key);
    return true;
  }
  if (key == Py_None || key == Py_Ellipsis) {
    hash = key == Py_None ? kNone : kEllipsis;
    return true;
  }
  if (type == abi::frozen_dict_type()) {
    return depth < kMostNested && hash_of_mapping(key, hash, depth + 1);
  }
  const PyTypeObject* built_in = built_in_of(key);
  if (built_in == nullptr || (type != built_in && !behaves_as(type, built_in))) return false;
  if (built_in == &PyLong_Type) return hash_of_number(key, hash);
  if (built_in == &PyFloat_Type) return hash_of_float(key, hash);
  if (built_in == &PyComplex_Type) return hash_of_complex(key, hash);
  if (built_in == &PyBytes_Type) return hash_of_bytes(key, hash);
  if (built_in == &PyUnicode_Type) {
    hash = portable_hash_of_str(key);
    return true;
  }
  if (depth >= kMostNested) return false;
  return built_in == &PyTuple_Type ? hash_of_tuple(key, hash, depth + 1)
                                   : hash_of_set(key, hash, depth + 1);
}

}  // namespace

// Strings that are equal have characters of the same size.
uint64_t portable_hash_of_str(PyObject* str) {
  return XXH3_64bits(PyUnicode_DATA(str), static_cast<size_t>(PyUnicode_GET_LENGTH(str)) *
                                              static_cast<size_t>(PyUnicode_KIND(str)));
}

bool portable_hash(PyObject* key, uint64_t& hash) { return hash_of(key, hash, 0); }

}  // namespace tenure::graph
