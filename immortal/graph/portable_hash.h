// A hash of keys that is the same in every process.
//
// CPython's hashes of str and bytes depend on a secret of the process, and those of objects on
// their address: a table laid out by them is of use only where it was made. These depend on the
// key's value alone. Keys that are equal have the same, whichever types they are of.
//
// Not for: what strangers choose and nobody bounds; whoever knows the function can find keys that
// collide (frozen_table.h stands that).
//
// Thread safety: attached; runs no code but the interpreter's own.
#ifndef TENURE_IMMORTAL_GRAPH_PORTABLE_HASH_H_
#define TENURE_IMMORTAL_GRAPH_PORTABLE_HASH_H_

#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure::graph {

// True, with the hash, for str, bytes, int, float, complex, bool, None, Ellipsis; for tuple,
// frozenset and FrozenDict of such; and for instances of their subclasses that hash and compare as
// they do. False for everything else, and for what is nested too deeply; no Python error is set.
[[nodiscard]] bool portable_hash(PyObject* key, uint64_t& hash);

// The same, for an exact str.
uint64_t portable_hash_of_str(PyObject* str);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_PORTABLE_HASH_H_
