#include "tenure/immortal/graph/heap.h"

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::graph {
namespace {

uintptr_t page_of(const void* memory) { return reinterpret_cast<uintptr_t>(memory) >> 12; }

// Where another allocator stands in front of the C library's, nothing is done.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsCLibrary = false;
#else
constexpr bool kIsCLibrary = true;
#endif

TEST(LeaveFreeChunks, WhatIsAllocatedLaterIsOnPagesOfItsOwn) {
  std::vector<void*> kept;
  std::vector<void*> freed;
  for (int i = 0; i < 20'000; ++i) {
    const size_t bytes = 24 + static_cast<size_t>(i) * 37 % 900;
    (i % 2 == 0 ? kept : freed).push_back(malloc(bytes));
  }
  std::set<uintptr_t> pages;
  for (void* memory : kept) pages.insert(page_of(memory));
  for (void* memory : freed) free(memory);
  const size_t left = leave_free_chunks();
  if (!kIsCLibrary) {
    EXPECT_EQ(left, 0u);
  } else {
    EXPECT_GT(left, size_t{1} << 20);
    size_t between = 0;
    for (int i = 0; i < 1000; ++i) {
      void* memory = malloc(24 + static_cast<size_t>(i) * 53 % 900);
      between += pages.contains(page_of(memory)) ? 1 : 0;
      kept.push_back(memory);
    }
    // The page where the old ends and the new begins.
    EXPECT_LT(between, 100u);
  }
  for (void* memory : kept) free(memory);
}

TEST(LeaveFreeChunks, LeavesLargeOnesForUse) {
  // What other tests left.
  leave_free_chunks();
  std::vector<void*> separators;
  std::vector<void*> large;
  for (int i = 0; i < 50; ++i) {
    large.push_back(malloc(60'000));
    // Too large for a list that it could have come from.
    separators.push_back(malloc(2000));
  }
  for (void* memory : large) free(memory);
  const size_t before = mallinfo2().uordblks;
  leave_free_chunks();
  EXPECT_LT(mallinfo2().uordblks - before, size_t{1} << 20);
  for (void* memory : separators) free(memory);
}

}  // namespace
}  // namespace tenure::graph
