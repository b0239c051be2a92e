// Finding any key in a FrozenDict, with the results that a dict of the same items has.
//
// Keys with a portable hash are found by the index. Others, of which only the process knows the
// hash, are found by a dict of the same keys, made when it is first needed: it is kept by the
// object, or for those of images, which are shared, by the interpreter. That costs what making a
// dict costs, once for each FrozenDict; those with few entries are looked through instead.
//
// Thread safety: attached.
#ifndef TENURE_IMMORTAL_GRAPH_FROZEN_LOOKUP_H_
#define TENURE_IMMORTAL_GRAPH_FROZEN_LOOKUP_H_

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/immortal/graph/frozen_table.h"
#include "tenure/immortal/graph/portable_hash.h"

namespace tenure::graph {

// Without the index: by Python's own hashes. As find().
Py_ssize_t find_by_python(abi::FrozenDictObject* dict, PyObject* key);

// The entry of an equal key; kNotFound, or kFailed with a Python error set if the key cannot be
// hashed or comparing raised one. May run any code. Requires: the dict lives meanwhile.
inline Py_ssize_t find(abi::FrozenDictObject* dict, PyObject* key) {
  Py_ssize_t entry;
  uint64_t hash;
  if (PyUnicode_CheckExact(key)) [[likely]] {
    entry = find_str(dict, key);
  } else if (portable_hash(key, hash)) {
    entry = find_indexed(dict, key, hash);
  } else {
    return find_by_python(dict, key);
  }
  if (entry != kNotFound || (dict->flags & abi::kOpaqueKeys) == 0) [[likely]]
    return entry;
  return find_by_python(dict, key);
}

// As find(), for an object that is a FrozenDict.
inline Py_ssize_t find(PyObject* dict, PyObject* key) {
  return find(abi::as_frozen_dict(dict), key);
}

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_FROZEN_LOOKUP_H_
