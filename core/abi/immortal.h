// Immortal objects (PEP 683): their reference count is never changed, so they are never freed.
//
// Not for: making an object live long. An immortal one lives until the process ends.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_IMMORTAL_H_
#define TENURE_CORE_ABI_IMMORTAL_H_

#include "tenure/core/abi/python.h"

namespace tenure::abi {

bool is_immortal(PyObject* object);

// Makes an object immortal and takes it out of the collector's sight. Steals the reference.
// Requires: nobody relies on the object being collected; it is not a str (see strings.h).
void make_immortal(PyObject* object);

// Only what says that it is immortal. Requires: no other thread changes its count.
void set_immortal_count(PyObject* object);

// The same for an object of the interpreter's own heap that is in use, a str as well: references to
// it, which are borrowed here, may be dropped later as if they still counted. Debug builds no
// longer count those that there are. A str that is interned is interned as an immortal one from
// then on: the interpreter frees it when all else is gone, as it does with its own. False with
// MemoryError, and then it is as it was. Debug builds assert that some kinds of objects are not
// immortal; there, those stay as they are.
[[nodiscard]] bool make_live_immortal(PyObject* object);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_IMMORTAL_H_
