// The memory of dropped instances, kept for the next ones: for classes whose ClassTraits set
// kFreeList.
//
// One list for each class and process, a stack that is linked through the memory itself. It is used
// only while the process has one copy of the class's module (classes.h): then one interpreter uses
// it, and that one's GIL guards it. With more copies, and on free-threaded builds, instances come
// from the allocator. The memory is malloc()'s and belongs to no interpreter, so that what stays in
// the list when an interpreter ends is good for the next.
//
// Not for: classes whose instances the collector sees; their memory has a head of the collector's.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_FREE_LIST_H_
#define TENURE_HANDLES_BIND_FREE_LIST_H_

#include <cstddef>

#include "tenure/core/attach.h"

namespace tenure::bind {

struct FreeList {
  struct Free {
    Free* next;
  };

  // Null if it is empty.
  void* take() {
    Free* const taken = first;
    if (taken == nullptr) return nullptr;
    first = taken->next;
    --count;
    return taken;
  }

  // False if there are `most` already.
  bool give(void* memory, size_t most) {
    if (count >= most) return false;
    auto* const given = static_cast<Free*>(memory);
    given->next = first;
    first = given;
    ++count;
    return true;
  }

  Free* first = nullptr;
  size_t count = 0;
};

inline constexpr bool kHasFreeLists = !abi::kFreeThreaded;

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_FREE_LIST_H_
