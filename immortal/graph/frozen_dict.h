// tenure.FrozenDict: an immutable mapping that an image can hold ready for use.
//
// docs/frozen-dict.md says what it does; core/abi/frozen_dict.h how it lies in memory;
// type_page.h where its type is.
//
// Not for: mappings that are built up step by step. Each change would copy all of it.
//
// Thread safety: every function needs an attached thread. FrozenDicts may be read by any number of
// them, of all interpreters if they are an image's.
#ifndef TENURE_IMMORTAL_GRAPH_FROZEN_DICT_H_
#define TENURE_IMMORTAL_GRAPH_FROZEN_DICT_H_

#include "tenure/core/abi/frozen_dict.h"

namespace tenure::graph {

// Makes the type usable in the current interpreter: after it, abi::frozen_dict_type() is there,
// and FrozenDicts are collections.abc.Mapping. Does nothing the second time. False with a Python
// error set. Runs Python code.
[[nodiscard]] bool ready_frozen_dict();

// A FrozenDict with the items of a dict (or frozendict, or of a subclass, as PyDict_Next() gives
// them). New reference; null with a Python error set. Requires: ready_frozen_dict() was called in
// this interpreter; the same for what follows.
PyObject* new_frozen_dict(PyObject* dict);

// A dict with the items of a FrozenDict. New reference; null with a Python error set.
PyObject* dict_of(PyObject* frozen);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_FROZEN_DICT_H_
