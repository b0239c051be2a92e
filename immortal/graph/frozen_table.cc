#include "tenure/immortal/graph/frozen_table.h"

#include <algorithm>
#include <cstring>

#include "tenure/immortal/graph/portable_hash.h"

namespace tenure::graph {
namespace {

// Looks so many slots at on the average of all keys, at most. Hashes that are spread well need
// fewer than three.
constexpr size_t kMostSteps = 16;

uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) | 1; }

// Whether the slot has the bits of that hash.
bool matches(uint32_t slot, uint64_t hash, uint32_t bits) {
  return ((slot ^ static_cast<uint32_t>(hash >> 32)) >> bits) == 0;
}

// Requires: both are str and compare as such.
bool equal_str(PyObject* a, PyObject* b) {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(a);
  const int kind = PyUnicode_KIND(a);
  return length == PyUnicode_GET_LENGTH(b) && kind == PyUnicode_KIND(b) &&
         std::memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b),
                     static_cast<size_t>(length) * static_cast<size_t>(kind)) == 0;
}

// As dict compares: 1 if equal, 0 if not, -1 with an error.
int equal_any(PyObject* own, PyObject* key) {
  return own == key ? 1 : PyObject_RichCompareBool(own, key, Py_EQ);
}

// What is in the index and is a str compares as one, whatever its type.
int equal_to_str(PyObject* own, PyObject* str) {
  return own == str || (PyUnicode_Check(own) && equal_str(own, str)) ? 1 : 0;
}

template <typename Equal>
Py_ssize_t find_by_tags(const abi::FrozenDictObject* dict, PyObject* key, uint64_t hash,
                        Equal&& equal) {
  const uint32_t tag = tag_of(hash);
  const uint32_t* tags = abi::index_of(dict);
  const abi::FrozenEntry* entries = abi::entries_of(dict);
  const size_t count = abi::entry_count(dict);
  for (size_t i = 0; i < count; ++i) {
    if (tags[i] != tag) continue;
    const int found = equal(entries[i].key, key);
    if (found != 0) return found > 0 ? static_cast<Py_ssize_t>(i) : kFailed;
  }
  return kNotFound;
}

template <typename Equal>
Py_ssize_t find_by_slots(const abi::FrozenDictObject* dict, PyObject* key, uint64_t hash,
                         Equal&& equal) {
  const uint32_t bits = dict->index_bits;
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  const uint32_t* slots = abi::index_of(dict);
  const abi::FrozenEntry* entries = abi::entries_of(dict);
  for (uint32_t at = static_cast<uint32_t>(hash) & mask;; at = (at + 1) & mask) {
    const uint32_t slot = slots[at];
    if (slot == 0) return kNotFound;
    if (!matches(slot, hash, bits)) continue;
    const uint32_t entry = (slot & mask) - 1;
    const int found = equal(entries[entry].key, key);
    if (found != 0) return found > 0 ? static_cast<Py_ssize_t>(entry) : kFailed;
  }
}

}  // namespace

KeyHash key_hash(PyObject* key) {
  KeyHash result{0, false};
  result.portable = portable_hash(key, result.hash);
  return result;
}

uint32_t lay_out_index(std::span<const KeyHash> keys, uint32_t* index) {
  const uint32_t bits = abi::frozen_index_bits(keys.size());
  uint32_t flags = 0;
  if (bits == 0) {
    for (size_t i = 0; i < keys.size(); ++i) {
      index[i] = keys[i].portable ? tag_of(keys[i].hash) : 0;
      if (!keys[i].portable) flags = abi::kOpaqueKeys;
    }
    return flags;
  }
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  std::fill_n(index, size_t{mask} + 1, uint32_t{0});
  size_t steps = keys.size() * kMostSteps;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!keys[i].portable) {
      flags = abi::kOpaqueKeys;
      continue;
    }
    const uint64_t hash = keys[i].hash;
    uint32_t at = static_cast<uint32_t>(hash) & mask;
    for (; index[at] != 0 && steps > 0; --steps) at = (at + 1) & mask;
    if (steps == 0) {
      std::fill_n(index, size_t{mask} + 1, uint32_t{0});
      return abi::kOpaqueKeys;
    }
    index[at] = (static_cast<uint32_t>(hash >> 32) & ~mask) | static_cast<uint32_t>(i + 1);
  }
  return flags;
}

Py_ssize_t find_indexed(const abi::FrozenDictObject* dict, PyObject* key, uint64_t hash) {
  return dict->index_bits == 0 ? find_by_tags(dict, key, hash, equal_any)
                               : find_by_slots(dict, key, hash, equal_any);
}

Py_ssize_t find_str(const abi::FrozenDictObject* dict, PyObject* str) {
  if (dict->index_bits == 0) {
    // Names are mostly interned, here and there, and then they need no hash.
    const abi::FrozenEntry* entries = abi::entries_of(dict);
    const size_t count = abi::entry_count(dict);
    for (size_t i = 0; i < count; ++i) {
      if (entries[i].key == str) return static_cast<Py_ssize_t>(i);
    }
    return find_by_tags(dict, str, portable_hash_of_str(str), equal_to_str);
  }
  return find_by_slots(dict, str, portable_hash_of_str(str), equal_to_str);
}

}  // namespace tenure::graph
