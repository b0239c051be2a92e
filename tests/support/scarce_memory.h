// Out of memory, at each allocation of a run in turn.
//
//   TEST(ThingTest, SurvivesScarcity) {
//     expect_survives_scarcity([] {
//       const Strong thing = make_thing();      // every allocation in here fails once
//       return thing != nullptr;                // false: it has said so, by a MemoryError
//     });
//   }
//
// Under one count are the three domains of Python; the functions of pool/mimalloc.h; and what our
// own code, linked into the test, asks of malloc() and its kin and of `new (std::nothrow)`. The
// libraries' own malloc() is not: what CPython asks for goes through its domains. A plain `new`,
// and so the standard containers, does not fail: without exceptions it ends the process, which is
// what is documented for it.
//
// Not for: other threads that allocate meanwhile, whose allocations are counted in no order.
#ifndef TENURE_TESTS_SUPPORT_SCARCE_MEMORY_H_
#define TENURE_TESTS_SUPPORT_SCARCE_MEMORY_H_

#include <functional>

#include "tenure/tests/support/python.h"

namespace tenure::testing {

// While it lives, the n-th allocation of the above fails, counted from 0; one lives at a time.
// Requires: as replace_mimalloc_for_testing() when it begins and ends. Thread state: any.
class ScarceMemory {
 public:
  ScarceMemory(long n, Fails fails);
  ~ScarceMemory();
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;

  // Of the one that lives, or lived last. Blocks are counted that were allocated less those that
  // were freed; of Python's also those freed that were older. A heap is a block.
  static long failures();
  static long kept();

 private:
  const FailingMemory python_;
};

struct ScarcityOptions {
  // Whether a run that says no leaves a MemoryError, and the interpreter is tried afterwards.
  // Needs an attached thread.
  bool is_python = true;
  // Whether a run may succeed although an allocation failed, because it could do without.
  bool may_do_without = true;
  // For a test of a run that is longer.
  long most = 20'000;
};

// Calls `scenario` with its first allocation failing, then its second, and so on until none of a
// run fails; then the same again with all further ones failing, too. A run answers whether it
// succeeded, and has to undo what it did. Fails the test for a run that succeeds and leaves an
// error, one that says no and leaves no MemoryError or cannot have had to, one that leaves a block
// behind each time it is repeated, and if the interpreter is no longer of use.
void expect_survives_scarcity(const std::function<bool()>& scenario, ScarcityOptions options = {});

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_SCARCE_MEMORY_H_
