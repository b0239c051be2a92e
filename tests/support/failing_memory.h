// Python without memory, from an allocation on.
//
// Thread safety: made and ended attached, or before Python begins.
#ifndef TENURE_TESTS_SUPPORT_FAILING_MEMORY_H_
#define TENURE_TESTS_SUPPORT_FAILING_MEMORY_H_

namespace tenure::testing {

// Which allocations fail when the n-th does.
enum class Fails : bool { kFromThenOn, kOnce };

// While it lives, the n-th allocation from now on and all after it fail, counted from 0, on every
// thread and in every domain of Python; or the n-th alone. One lives at a time. See scarce_memory.h
// for trying every n.
class FailingMemory {
 public:
  explicit FailingMemory(long n, Fails fails = Fails::kFromThenOn);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  // Of the one that lives, or lived last: how many allocations have failed, and how many more
  // blocks of Python's have been allocated than freed. Thread state: any.
  static long failures();
  static long kept();

  // For other allocators under the same count: counts an allocation, and answers whether it may
  // succeed. Thread state: any.
  static bool may_allocate();
};

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_FAILING_MEMORY_H_
