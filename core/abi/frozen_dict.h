// How a tenure.FrozenDict lies in memory.
//
// An immutable mapping whose table is part of the object and depends on nothing but its keys, so
// that an image can hold it as it is and every process that maps the image finds the same:
//
//   FrozenDictObject  the head
//   FrozenEntry       [entry_count]: the references, in order of insertion
//   uint32_t          the index: tags [entry_count] if index_bits is 0, else slots [1 <<
//   index_bits]
//
// A tag is the upper half of the key's portable hash with its lowest bit set, or 0 for a key that
// has none. A slot is 0 if empty; else its lower index_bits bits are the number of an entry,
// counted from 1, and the bits above are those of the upper half of the key's portable hash at that
// place. The first slot of a key is its hash modulo their number, the next is the one after it.
//
// Invariants: index_bits = frozen_index_bits(entry_count); at most two thirds of the slots are
// used; every key with a portable hash is in the index, or kOpaqueKeys is set.
//
// Not for: looking keys up (see immortal/graph/frozen_table.h).
//
// Thread safety: an object never changes but for `hash` and `fallback`, which are atomics.
#ifndef TENURE_CORE_ABI_FROZEN_DICT_H_
#define TENURE_CORE_ABI_FROZEN_DICT_H_

#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/places.h"
#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Numbers of flags are written into images: one never changes its meaning.
inline constexpr uint32_t kOpaqueKeys = 1;  // what the index does not find may still be there
// Made by the interpreter's allocator, and so may have a fallback. Never set in images.
inline constexpr uint32_t kOnHeap = uint32_t{1} << 31;

struct FrozenDictObject {
  PyVarObject head;     // ob_size: how many entries
  Py_hash_t hash;       // of the mapping; -1 if it is not known
  uint32_t index_bits;  // 0: there are tags; else the binary logarithm of the number of slots
  uint32_t flags;
  // A dict of the same keys, made when one is looked up that the index cannot answer for. Null in
  // images, which interpreters share.
  PyObject* fallback;
};

struct FrozenEntry {
  PyObject* key;
  PyObject* value;
};

static_assert(sizeof(FrozenDictObject) % alignof(FrozenEntry) == 0);

// Up to so many entries have tags, which are looked through one by one.
inline constexpr size_t kMostTags = 8;
inline constexpr uint32_t kMostIndexBits = 31;
inline constexpr size_t kMostFrozenEntries = (size_t{2} << kMostIndexBits) / 3;

// Requires: entries <= kMostFrozenEntries.
constexpr uint32_t frozen_index_bits(size_t entries) {
  if (entries <= kMostTags) return 0;
  uint32_t bits = 4;
  while (entries * 3 > size_t{2} << bits) ++bits;
  return bits;
}

// Requires: entries <= kMostFrozenEntries.
constexpr size_t frozen_index_bytes(size_t entries) {
  const uint32_t bits = frozen_index_bits(entries);
  return sizeof(uint32_t) * (bits == 0 ? entries : size_t{1} << bits);
}

// From the object's address to its end; the collector's head is in front of it.
// Requires: entries <= kMostFrozenEntries.
constexpr size_t frozen_dict_bytes(size_t entries) {
  return sizeof(FrozenDictObject) + entries * sizeof(FrozenEntry) + frozen_index_bytes(entries);
}

inline size_t entry_count(const FrozenDictObject* dict) {
  return static_cast<size_t>(dict->head.ob_size);
}

inline FrozenEntry* entries_of(FrozenDictObject* dict) {
  return reinterpret_cast<FrozenEntry*>(dict + 1);
}
inline const FrozenEntry* entries_of(const FrozenDictObject* dict) {
  return reinterpret_cast<const FrozenEntry*>(dict + 1);
}

// The tags or the slots.
inline uint32_t* index_of(FrozenDictObject* dict) {
  return reinterpret_cast<uint32_t*>(entries_of(dict) + entry_count(dict));
}
inline const uint32_t* index_of(const FrozenDictObject* dict) {
  return reinterpret_cast<const uint32_t*>(entries_of(dict) + entry_count(dict));
}

// tenure.FrozenDict as this copy of the library knows it; null before
// graph::ready_frozen_dict(). Borrowed, for good. Thread state: any.
PyTypeObject* frozen_dict_type();
void set_frozen_dict_type(PyTypeObject* type);

// Where the type lies in every process in which that place was free; see
// immortal/graph/type_page.h.
inline constexpr uintptr_t kFrozenDictTypeAddress = kFrozenDictTypePage + 64;

inline bool is_frozen_dict(PyObject* object) { return Py_TYPE(object) == frozen_dict_type(); }

inline FrozenDictObject* as_frozen_dict(PyObject* object) {
  return reinterpret_cast<FrozenDictObject*>(object);
}

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_FROZEN_DICT_H_
