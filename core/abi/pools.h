// The interpreter's allocator for small objects: leaving what is half used behind.
//
// The allocator hands out blocks of up to 512 bytes from pools of 16 KiB, one size each, and fills
// pools that have room before it begins others. In the child of a fork every block that it hands
// out of such a pool copies a page on which the parent's objects are.
//
// Not for: freeing memory. What is left behind is never used again.
//
// Thread safety: needs an attached thread.
#ifndef TENURE_CORE_ABI_POOLS_H_
#define TENURE_CORE_ABI_POOLS_H_

#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Takes the room that is left in pools that are in use, so that what is allocated from now on is in
// pools of its own. Answers how many bytes that was; 0 if the process uses another allocator.
size_t leave_used_pools();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_POOLS_H_
