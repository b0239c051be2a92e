// A type object of ours that all interpreters of the process share, each with a namespace of its
// own for it: what the interpreter's built-in types are.
//
// Not for: types that need not be at an address that everybody knows; make those with
// PyType_FromSpec, in each interpreter. The process has room for ten such types in all, of which
// datetime takes seven.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_STATIC_TYPE_H_
#define TENURE_CORE_ABI_STATIC_TYPE_H_

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// A class pattern with one positional part matches the object itself, as for dict.
inline constexpr unsigned long kMatchSelf = _Py_TPFLAGS_MATCH_SELF;

// True once the type was made ready in some interpreter that has not ended.
bool is_static_type_ready(const PyTypeObject* type);

// Makes the type ready in the current interpreter. Requires: it is not ready there; the interpreter
// is the main one, or the type is ready in that. The main one is the last to end, and what it
// allocated for the type lives until then; after it, the type may be made ready again. False with a
// Python error set.
[[nodiscard]] bool ready_static_type(PyTypeObject* type);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_STATIC_TYPE_H_
