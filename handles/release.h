// release_incrementally(): dropping a huge container without stopping the program for it.
//
// Dropping a list of ten million objects takes half a second in which nothing else runs. This takes
// it apart instead, within the budgets of drains: a millisecond at a time, between other code.
// Lists, tuples, dicts and sets that nobody else holds are taken apart, and those in them that
// nobody else holds, however deep. Anything else is dropped at once, as are subclasses, frozensets,
// sets with weak references and the attributes of instances.
//
// Memory that containers take themselves is given back to the system as they become empty.
//
// Not for: small things; dropping a thousand objects takes less time than thinking about it.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_RELEASE_H_
#define TENURE_HANDLES_RELEASE_H_

#include <utility>

#include "tenure/core/decref_queue.h"
#include "tenure/handles/owned.h"

namespace tenure {

// Steals. Where the interpreter's queue cannot be made, which can only be the first time, the
// object is dropped at once. Requires: attached; no Python error is set. Errors: none.
template <typename T>
void release_incrementally(Owned<T>&& owner) {
  Owned<T> object = std::move(owner);
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) {
    PyErr_Clear();
    return;
  }
  queue->release_incrementally(std::move(object).release());
}

}  // namespace tenure

#endif  // TENURE_HANDLES_RELEASE_H_
