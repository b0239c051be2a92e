// A look at every object that the collector knows.
//
// What PyUnstable_GC_VisitObjects() does, in a third of the time: the collector keeps its objects
// in lists, and following one means to wait for memory at each object. Here many parts of the lists
// are followed at once, and nothing is written to.
//
// Not for: anything that makes or drops objects on the way.
//
// Thread safety: attached. No Python code runs.
#ifndef TENURE_CORE_ABI_TRACKED_H_
#define TENURE_CORE_ABI_TRACKED_H_

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Calls visit(object, argument) for each, in no order. Frozen ones (gc.freeze) are among them.
// Requires: attached to the main interpreter, whose runtime is known (ending.h); visit only takes
// references.
void for_each_tracked(void (*visit)(PyObject* object, void* argument), void* argument);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_TRACKED_H_
