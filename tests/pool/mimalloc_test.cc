#include "tenure/pool/mimalloc.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::pool {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

TEST(MimallocTest, IsThePackagedLibrary) {
  const Mimalloc& mi = packaged_mimalloc_for_testing();
  EXPECT_TRUE(mi.is_mimalloc) << mi.what;
  EXPECT_EQ(std::strncmp(mi.what, "mimalloc 3.", 11), 0) << mi.what;
  EXPECT_EQ(mimalloc().is_mimalloc, !kIsSanitized) << mimalloc().what;
  if (kIsSanitized) {
    EXPECT_STREQ(mimalloc().what, "malloc: a sanitizer is to see each block");
  }
}

// What it is opened by name for.
TEST(MimallocTest, IsInNobodysSight) {
  ASSERT_TRUE(packaged_mimalloc_for_testing().is_mimalloc);
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "mi_malloc"), nullptr);
  Dl_info found = {};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(dlsym(RTLD_DEFAULT, "malloc")), &found), 0);
  EXPECT_EQ(std::strstr(found.dli_fname, "mimalloc"), nullptr) << found.dli_fname;
}

// What is true of the library and of the stand-ins.
class EitherTest : public ::testing::TestWithParam<const Mimalloc* (*)()> {
 protected:
  const Mimalloc& mi = *GetParam()();
};

TEST_P(EitherTest, BlocksOutliveADeletedHeap) {
  mi_heap_t* const heap = mi.heap_new();
  ASSERT_NE(heap, nullptr);
  auto* const block = static_cast<char*>(mi.heap_malloc(heap, 100));
  ASSERT_NE(block, nullptr);
  std::memset(block, 7, 100);
  mi.heap_delete(heap);
  EXPECT_EQ(block[99], 7);
  mi.free(block);
}

TEST_P(EitherTest, NothingHasAnAddressOfItsOwn) {
  mi_heap_t* const heap = mi.heap_new();
  void* const first = mi.heap_malloc(heap, 0);
  void* const second = mi.heap_calloc(heap, 0, 8);
  void* third = mi.heap_realloc(heap, nullptr, 0);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  ASSERT_NE(third, nullptr);
  EXPECT_NE(first, second);
  EXPECT_NE(first, third);
  third = mi.heap_realloc(heap, mi.heap_realloc(heap, third, 100), 0);
  EXPECT_NE(third, nullptr);
  for (void* block : {first, second, third}) mi.free(block);
  mi.free(nullptr);
  mi.heap_delete(heap);
}

TEST_P(EitherTest, TooMuchIsRefused) {
  if (kIsSanitized && !mi.is_mimalloc) GTEST_SKIP() << "the sanitizer ends the program";
  mi_heap_t* const heap = mi.heap_new();
  // The compiler is not to know.
  volatile size_t most = std::numeric_limits<ptrdiff_t>::max();
  volatile size_t half = size_t{1} << 33;
  EXPECT_EQ(mi.heap_malloc(heap, most), nullptr);
  EXPECT_EQ(mi.heap_calloc(heap, half, half), nullptr);
  auto* const block = static_cast<char*>(mi.heap_malloc(heap, 10));
  ASSERT_NE(block, nullptr);
  block[9] = 7;
  EXPECT_EQ(mi.heap_realloc(heap, block, most), nullptr);
  EXPECT_EQ(block[9], 7);
  mi.free(block);
  mi.heap_delete(heap);
}

TEST_P(EitherTest, ZeroedAndAligned) {
  mi_heap_t* const heap = mi.heap_new();
  auto* dirty = static_cast<char*>(mi.heap_malloc(heap, 1000));
  std::memset(dirty, 7, 1000);
  mi.free(dirty);
  for (void* block : {mi.heap_zalloc(heap, 1000), mi.heap_calloc(heap, 10, 100)}) {
    ASSERT_NE(block, nullptr);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(static_cast<char*>(block)[i], 0);
    mi.free(block);
  }
  for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void* const block = mi.heap_malloc_aligned(heap, 24, alignment);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0U);
    mi.free(block);
  }
  mi.heap_delete(heap);
}

// A process may have a thousand interpreters in its life, each with a heap.
TEST_P(EitherTest, HeapsComeAndGo) {
  for (int i = 0; i < 10'000; ++i) {
    mi_heap_t* const heap = mi.heap_new();
    ASSERT_NE(heap, nullptr) << i;
    void* const block = mi.heap_malloc(heap, 64);
    ASSERT_NE(block, nullptr) << i;
    if (i % 2 == 0 || !mi.is_mimalloc) {
      mi.free(block);
      mi.heap_delete(heap);
    } else {
      mi.heap_destroy(heap);
    }
  }
}

TEST_P(EitherTest, AnyThreadAllocatesAndFrees) {
  mi_heap_t* const heap = mi.heap_new();
  ASSERT_NE(heap, nullptr);
  std::vector<void*> blocks;
  std::thread([&] {
    for (int i = 0; i < 10'000; ++i) blocks.push_back(mi.heap_zalloc(heap, 48));
  }).join();
  for (void* block : blocks) {
    ASSERT_NE(block, nullptr);
    mi.free(block);
  }
  std::thread([&] { mi.heap_destroy(heap); }).join();
}

INSTANTIATE_TEST_SUITE_P(, EitherTest,
                         ::testing::Values([] { return &packaged_mimalloc_for_testing(); },
                                           [] { return &stand_ins_for_testing(); }),
                         [](const auto& each) { return each.index == 0 ? "Library" : "StandIns"; });

// What install_allocator()'s statistics rest on.
TEST(MimallocTest, StatisticsAreExactAfterACollection) {
  const Mimalloc& mi = packaged_mimalloc_for_testing();
  ASSERT_TRUE(mi.is_mimalloc);
  mi_heap_t* const heap = mi.heap_new();
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(mi.heap_malloc(heap, 48));
  mi_stats_t_decl(stats);
  mi.heap_collect(heap, false);
  ASSERT_TRUE(mi.heap_stats_get(heap, &stats));
  EXPECT_EQ(stats.malloc_count.total, 1000);
  EXPECT_EQ(stats.allocated.current, 48'000);
  for (void* block : blocks) mi.free(block);
  mi.heap_collect(heap, false);
  ASSERT_TRUE(mi.heap_stats_get(heap, &stats));
  EXPECT_EQ(stats.free_count.total, 1000);
  EXPECT_EQ(stats.allocated.current, 0);
  EXPECT_EQ(stats.allocated.peak, 48'000);
  mi.heap_delete(heap);
}

}  // namespace
}  // namespace tenure::pool
