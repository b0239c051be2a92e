// Pools when there is no memory: a MemoryError, and everything as it was.

#include <vector>

#include <gtest/gtest.h>

#include "tenure/pool/mimalloc.h"
#include "tenure/tests/pool/instance_types.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

constexpr bool kPools = !abi::kFreeThreaded;

// While it lives, the n-th allocation of the pools' library from now on and all after it fail,
// counted from 0.
class FailingPools {
 public:
  explicit FailingPools(long n) {
    left = n;
    library = &pool::mimalloc();
    failing = *library;
    failing.heap_new = [] { return may_go_on() ? library->heap_new() : nullptr; };
    failing.heap_malloc = [](mi_heap_t* heap, size_t size) noexcept {
      return may_go_on() ? library->heap_malloc(heap, size) : nullptr;
    };
    failing.heap_malloc_aligned = [](mi_heap_t* heap, size_t size, size_t alignment) noexcept {
      return may_go_on() ? library->heap_malloc_aligned(heap, size, alignment) : nullptr;
    };
    pool::replace_mimalloc_for_testing(&failing);
  }
  ~FailingPools() { pool::replace_mimalloc_for_testing(library); }
  FailingPools(const FailingPools&) = delete;
  FailingPools& operator=(const FailingPools&) = delete;

 private:
  static bool may_go_on() { return left-- > 0; }
  static inline long left = 0;
  static inline const pool::Mimalloc* library = nullptr;
  static inline pool::Mimalloc failing;
};

// What using a pool for the first time in an interpreter, and again, takes: each n-th allocation
// fails once, until none does. `Failing` says whose.
template <typename Failing>
void expect_each_failure_is_reported(Gil gil) {
  long failures = 0;
  for (bool is_done = false; !is_done; ++failures) {
    ASSERT_LT(failures, 1000) << "it never succeeds";
    Subinterpreter other(gil);
    other.run([&] {
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      const Py_ssize_t references = Py_REFCNT(node.get());
      {
        std::vector<Strong> made;
        bool has_failed = false;
        {
          const Failing failing(failures);
          for (int i = 0; i < 6 && !has_failed; ++i) {
            PyTypeObject* const type = as_type(i % 2 == 0 ? node : point);
            Strong one(type->tp_alloc(type, 0));
            has_failed = !one;
            if (one) made.push_back(std::move(one));
          }
        }
        is_done = !has_failed;
        if (has_failed) {
          EXPECT_EQ(take_error(), "MemoryError") << failures;
        }
      }
      EXPECT_EQ(Py_REFCNT(node.get()), references) << failures;
      EXPECT_EQ(pool::statistics_of_all().live, 0U) << failures;
      // And it goes on as if nothing had been.
      for (int i = 0; i < 20; ++i) {
        make_and_drop(node);
        make_and_drop(point);
      }
      EXPECT_EQ(pool::statistics_of_all().live, 0U) << failures;
      EXPECT_GE(pool::statistics_of_all().retained, 2U) << failures;
    });
  }
  EXPECT_GT(failures, 1);
}

TEST(InstancePoolMemoryTest, FailuresOfThePoolsLibrary) {
  if (!kPools) GTEST_SKIP();
  for (const Gil gil : {Gil::kShared, Gil::kOwn})
    expect_each_failure_is_reported<FailingPools>(gil);
}

TEST(InstancePoolMemoryTest, FailuresOfCPythonsAllocators) {
  if (!kPools) GTEST_SKIP();
  expect_each_failure_is_reported<FailingMemory>(Gil::kShared);
}

// What is kept needs no memory.
TEST(InstancePoolMemoryTest, WhatIsKeptIsThere) {
  if (!kPools) GTEST_SKIP();
  const Strong type = new_node_type();
  make_and_drop(type);
  const FailingPools failing(0);
  for (int i = 0; i < 10; ++i) {
    const Strong one = make(type);
    EXPECT_EQ(as_type(type)->tp_alloc(as_type(type), 0), nullptr);
    EXPECT_EQ(take_error(), "MemoryError");
  }
}

#if defined(__SANITIZE_ADDRESS__)
// Memory that a pool keeps is nobody's.
TEST(InstancePoolDeathTest, UseAfterFree) {
  const Strong type = new_point_type();
  Strong point = make(type);
  auto* const members = reinterpret_cast<volatile Point*>(point.get());
  members->x = 1;
  point = {};
  EXPECT_DEATH(members->x = 2, "use-after-poison");
  const Strong node_type = new_node_type();
  Strong node = make(node_type);
  auto* const head = reinterpret_cast<volatile uintptr_t*>(node.get()) - 1;
  node = {};
  EXPECT_DEATH(*head = 2, "use-after-poison");
  // And is somebody's again.
  point = make(type);
  reinterpret_cast<Point*>(point.get())->x = 3;
  pool::trim_all();
}
#endif

}  // namespace
}  // namespace tenure::testing
