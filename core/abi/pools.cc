#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/pools.h"

#include <cstdint>
#include <cstring>

#include <internal/pycore_obmalloc.h>
#include <internal/pycore_pymem.h>

namespace tenure::abi {
namespace {

// What debug hooks put around each block: they ask for as much more, and of what is then no longer
// small the pools know nothing.
constexpr size_t kDebugMarks = 4 * sizeof(size_t);

// The largest block that comes from a pool; 0 if none does.
size_t largest_from_pools() {
  const char* name = _PyMem_GetCurrentAllocatorName();
  if (name == nullptr) return 0;
  if (std::strcmp(name, "pymalloc") == 0) return SMALL_REQUEST_THRESHOLD;
  return std::strcmp(name, "pymalloc_debug") == 0 ? SMALL_REQUEST_THRESHOLD - kDebugMarks : 0;
}

// A block that is alone in its pool: the pool has been begun for it, because no other had room.
bool is_first_of_pool(const void* block) {
  const auto* pool =
      reinterpret_cast<const pool_header*>(reinterpret_cast<uintptr_t>(block) & ~POOL_SIZE_MASK);
  return pool->ref.count == 1;
}

}  // namespace

size_t leave_used_pools() {
  const size_t largest = largest_from_pools();
  size_t left = 0;
  for (size_t bytes = ALIGNMENT; bytes <= largest; bytes += ALIGNMENT) {
    while (void* block = PyObject_Malloc(bytes)) {
      if (is_first_of_pool(block)) {
        PyObject_Free(block);
        break;
      }
      left += bytes;
    }
  }
  return left;
}

}  // namespace tenure::abi
