#include "tenure/core/abi/pools.h"

#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

constexpr uintptr_t kPool = uintptr_t{1} << 14;

uintptr_t pool_of(const void* block) { return reinterpret_cast<uintptr_t>(block) & ~(kPool - 1); }

// Every other block of what was allocated is free, so that each pool has room.
TEST(LeaveUsedPools, WhatIsAllocatedLaterIsInPoolsOfItsOwn) {
  constexpr size_t kBytes = 200;
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(PyObject_Malloc(kBytes));
  std::set<uintptr_t> before;
  for (size_t i = 0; i < blocks.size(); i += 2) {
    before.insert(pool_of(blocks[i]));
    PyObject_Free(blocks[i]);
  }
  EXPECT_GT(leave_used_pools(), 500 * kBytes);
  for (int i = 0; i < 100; ++i) {
    void* block = PyObject_Malloc(kBytes);
    EXPECT_FALSE(before.contains(pool_of(block)));
    blocks.push_back(block);
  }
  // What was in use is still freed as before.
  for (size_t i = 1; i < 1000; i += 2) PyObject_Free(blocks[i]);
}

TEST(LeaveUsedPools, FindsLittleTheSecondTime) {
  leave_used_pools();
  EXPECT_LT(leave_used_pools(), size_t{1} << 20);
}

}  // namespace
}  // namespace tenure::abi
