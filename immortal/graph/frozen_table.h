// The index of a FrozenDict: laying it out, and finding keys by it.
//
// Not for: keys without a portable hash; frozen_lookup.h finds any key.
//
// Thread safety: says each function.
#ifndef TENURE_IMMORTAL_GRAPH_FROZEN_TABLE_H_
#define TENURE_IMMORTAL_GRAPH_FROZEN_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "tenure/core/abi/frozen_dict.h"

namespace tenure::graph {

struct KeyHash {
  uint64_t hash;
  bool portable;  // else there is none
};

// Of a key; see portable_hash(). Requires: attached.
KeyHash key_hash(PyObject* key);

// Writes the tags or slots for keys with these hashes, in order of their entries, to `index`, which
// is abi::frozen_index_bytes(keys.size()) long and aligned as uint32_t; what was there is
// overwritten. Equal input gives equal bytes. Answers the flags of the object: kOpaqueKeys if some
// key has no portable hash, or if so many have nearly the same that looking through them would take
// too long; then the index is empty. Takes time in proportion to the number of keys, whatever they
// are. Requires: keys.size() <= abi::kMostFrozenEntries. Thread state: any.
[[nodiscard]] uint32_t lay_out_index(std::span<const KeyHash> keys, uint32_t* index);

// What a search answers that is not the number of an entry.
inline constexpr Py_ssize_t kNotFound = -1;
inline constexpr Py_ssize_t kFailed = -2;

// The entry of a key with that portable hash, among those that are in the index. kFailed with a
// Python error set if comparing raised one. Requires: attached; the dict lives meanwhile.
Py_ssize_t find_indexed(const abi::FrozenDictObject* dict, PyObject* key, uint64_t hash);

// The same for an exact str, which never fails.
Py_ssize_t find_str(const abi::FrozenDictObject* dict, PyObject* str);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_FROZEN_TABLE_H_
