#include "tenure/tests/support/scarce_memory.h"

#include <cstdlib>
#include <new>
#include <vector>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "tenure/pool/mimalloc.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

bool refused() {
  PyErr_NoMemory();
  return false;
}

// What makes the compiler keep an allocation that is freed at once.
template <typename T>
T* used(T* block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

TEST(ScarceMemoryTest, ReachesEverySource) {
  const pool::Mimalloc& real = pool::mimalloc();
  mi_heap_t* const heap = real.heap_new();
  {
    const ScarceMemory none(0, Fails::kFromThenOn);
    EXPECT_EQ(PyMem_RawMalloc(1), nullptr);
    EXPECT_EQ(PyMem_Malloc(1), nullptr);
    EXPECT_EQ(PyObject_Malloc(1), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_new(), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_malloc(heap, 1), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_zalloc(heap, 1), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_calloc(heap, 1, 1), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_realloc(heap, nullptr, 1), nullptr);
    EXPECT_EQ(pool::mimalloc().heap_malloc_aligned(heap, 1, 64), nullptr);
    EXPECT_EQ(used(std::malloc(1)), nullptr);
    EXPECT_EQ(used(std::calloc(1, 1)), nullptr);
    EXPECT_EQ(used(std::realloc(nullptr, 1)), nullptr);
    EXPECT_EQ(used(std::aligned_alloc(64, 64)), nullptr);
    void* block = nullptr;
    EXPECT_NE(posix_memalign(&block, 64, 1), 0);
    EXPECT_EQ(used(new (std::nothrow) int), nullptr);
    EXPECT_EQ(used(new (std::nothrow) int[3]), nullptr);
    EXPECT_EQ(ScarceMemory::failures(), 16);
    EXPECT_EQ(ScarceMemory::kept(), 0);
  }
  real.heap_delete(heap);
  EXPECT_EQ(&pool::mimalloc(), &real);
}

TEST(ScarceMemoryTest, CountsWhatIsKept) {
  void* const older = used(std::malloc(1));
  const ScarceMemory scarce(3, Fails::kOnce);
  void* const python = PyMem_Malloc(1);
  EXPECT_EQ(ScarceMemory::kept(), 1);
  void* const ours = used(std::malloc(1));
  mi_heap_t* const heap = pool::mimalloc().heap_new();
  const long with_heap = ScarceMemory::kept();
  // One more if the stand-ins are over our malloc(), which had its turn then.
  EXPECT_EQ(used(std::malloc(1)), nullptr);
  void* const moved = pool::mimalloc().heap_realloc(heap, pool::mimalloc().heap_malloc(heap, 1), 9);
  EXPECT_EQ(ScarceMemory::kept(), with_heap + 1);
  pool::mimalloc().free(moved);
  pool::mimalloc().heap_delete(heap);
  EXPECT_EQ(ScarceMemory::kept(), 2);
  std::free(older);
  EXPECT_EQ(ScarceMemory::kept(), 2) << "of ours, only what is younger counts";
  std::free(ours);
  PyMem_Free(python);
  EXPECT_EQ(ScarceMemory::kept(), 0);
}

TEST(ScarceMemoryTest, AHeapIsFreedWithItsBlocks) {
  if (!pool::mimalloc().is_mimalloc) GTEST_SKIP() << pool::mimalloc().what;
  const ScarceMemory scarce(1000, Fails::kOnce);
  const pool::Mimalloc& mi = pool::mimalloc();
  mi_heap_t* const heap = mi.heap_new();
  for (int i = 0; i < 10; ++i) EXPECT_NE(mi.heap_malloc(heap, 100), nullptr);
  EXPECT_EQ(ScarceMemory::kept(), 11);
  mi.heap_destroy(heap);
  EXPECT_EQ(ScarceMemory::kept(), 0);
}

TEST(ScarceMemoryTest, WhatIsRightPasses) {
  int runs = 0;
  expect_survives_scarcity([&] {
    ++runs;
    void* const block = std::malloc(10);
    if (block == nullptr) return refused();
    const Strong list = PyList_New(100);
    std::free(block);
    return static_cast<bool>(list);
  });
  EXPECT_GE(runs, 3 + 2 * 3);
}

TEST(ScarceMemoryTest, SeesALeak) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] {
                         void* const first = used(std::malloc(10));
                         if (first == nullptr) return refused();
                         void* const second = used(std::malloc(10));
                         if (second == nullptr) return refused();
                         std::free(second);
                         std::free(first);
                         return true;
                       }),
                       "leaves 1 blocks");
}

TEST(ScarceMemoryTest, SeesALeakOfPythons) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] {
                         PyObject* const first = PyList_New(1);
                         PyObject* const second = first != nullptr ? PyList_New(1) : nullptr;
                         if (second == nullptr) return false;
                         Py_DECREF(second);
                         Py_DECREF(first);
                         return true;
                       }),
                       "more than there were");
}

TEST(ScarceMemoryTest, SeesAMissingError) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] {
                         void* const block = used(std::malloc(10));
                         std::free(block);
                         return block != nullptr;
                       }),
                       "left no error");
}

TEST(ScarceMemoryTest, SeesAnErrorTooMany) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] {
                         const Strong list = PyList_New(100);
                         return true;
                       }),
                       "left MemoryError");
}

TEST(ScarceMemoryTest, SeesAnotherError) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] {
                         void* const block = used(std::malloc(10));
                         if (block == nullptr) PyErr_SetString(PyExc_ValueError, "no");
                         std::free(block);
                         return block != nullptr;
                       }),
                       "left ValueError");
  EXPECT_EQ(PyErr_Occurred(), nullptr);
}

TEST(ScarceMemoryTest, SeesThatAFailureGoesUnnoticed) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity(
                           [] {
                             std::free(used(std::malloc(10)));
                             return true;
                           },
                           {.is_python = false, .may_do_without = false}),
                       "although an allocation failed");
}

TEST(ScarceMemoryTest, SeesThatNothingIsAskedFor) {
  EXPECT_FATAL_FAILURE(expect_survives_scarcity([] { return true; }, {.is_python = false}),
                       "nothing was asked for");
}

}  // namespace
}  // namespace tenure::testing
