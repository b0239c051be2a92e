#include "tenure/pool/mimalloc.h"

#include <dlfcn.h>

#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::pool {
namespace {

TEST(MimallocTest, IsThePackagedLibrary) {
  EXPECT_TRUE(mimalloc().is_mimalloc) << mimalloc().what;
  EXPECT_EQ(std::strncmp(mimalloc().what, "mimalloc 3.", 11), 0) << mimalloc().what;
}

// What it is opened by name for.
TEST(MimallocTest, IsInNobodysSight) {
  ASSERT_TRUE(mimalloc().is_mimalloc);
  EXPECT_EQ(dlsym(RTLD_DEFAULT, "mi_malloc"), nullptr);
  Dl_info found = {};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(dlsym(RTLD_DEFAULT, "malloc")), &found), 0);
  EXPECT_EQ(std::strstr(found.dli_fname, "mimalloc"), nullptr) << found.dli_fname;
}

TEST(MimallocTest, BlocksOutliveADeletedHeap) {
  const Mimalloc& mi = mimalloc();
  mi_heap_t* const heap = mi.heap_new();
  ASSERT_NE(heap, nullptr);
  auto* const block = static_cast<char*>(mi.heap_malloc(heap, 100));
  ASSERT_NE(block, nullptr);
  std::memset(block, 7, 100);
  mi.heap_delete(heap);
  EXPECT_EQ(block[99], 7);
  mi.free(block);
}

TEST(MimallocTest, AnyThreadAllocatesAndFrees) {
  const Mimalloc& mi = mimalloc();
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

// A process may have a thousand interpreters in its life, each with a heap.
TEST(MimallocTest, HeapsComeAndGo) {
  const Mimalloc& mi = mimalloc();
  for (int i = 0; i < 10'000; ++i) {
    mi_heap_t* const heap = mi.heap_new();
    ASSERT_NE(heap, nullptr) << i;
    void* const block = mi.heap_malloc(heap, 64);
    ASSERT_NE(block, nullptr) << i;
    if (i % 2 == 0) {
      mi.free(block);
      mi.heap_delete(heap);
    } else {
      mi.heap_destroy(heap);
    }
  }
}

}  // namespace
}  // namespace tenure::pool
