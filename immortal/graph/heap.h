// The C library's heap: leaving its small free chunks behind.
//
// malloc() hands out what was freed between chunks that are in use before it takes new memory. In
// the child of a fork each such chunk copies a page on which the parent's data is.
//
// Not for: freeing memory. What is left behind is never used again.
//
// Thread safety: any thread; only the heap that this thread allocates from is looked at.
#ifndef TENURE_IMMORTAL_GRAPH_HEAP_H_
#define TENURE_IMMORTAL_GRAPH_HEAP_H_

#include <cstddef>

namespace tenure::graph {

// Gives whole free pages back to the system, then takes the free chunks that are smaller than a
// few pages. Answers how many bytes these were.
size_t leave_free_chunks();

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_HEAP_H_
