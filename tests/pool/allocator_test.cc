// When CPython's memory can be put on mimalloc, and when not. Each in a process of its own.

#include "tenure/pool/allocator.h"

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "tenure/core/abi/python.h"
#include "tenure/pool/mimalloc.h"
#include "tenure/tests/pool/allocator_programs.h"
#include "tenure/tests/support/programs.h"

namespace tenure::pool {
namespace {

using testing::finalize;
using testing::initialize;
using testing::kWorkload;
using testing::passes;
using testing::pre_initialize;
using testing::Program;
using testing::require;
using testing::run_python;
using testing::start_with_allocator;

void require_refused(AllocatorStatus status, const char* because) {
  PyMemAllocatorEx before[2];
  PyMemAllocatorEx after[2];
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &before[0]);
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &before[1]);
  const AllocatorAnswer answer = install_allocator();
  require(!answer, "it is refused");
  require(answer.status == status, answer.reason);
  require(std::strstr(answer.reason, because) != nullptr, answer.reason);
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &after[0]);
  PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &after[1]);
  require(std::memcmp(before, after, sizeof before) == 0, "nothing is changed");
  require(!allocator_statistics().is_installed, "and it does not say so");
}

void use_the_library() { replace_mimalloc_for_testing(&packaged_mimalloc_for_testing()); }

const Program runs("runs", [] {
  require(!allocator_statistics().is_installed, "not before");
  start_with_allocator();
  const AllocatorStatistics before = allocator_statistics();
  require(before.is_installed, "it is installed");
  require(before.objects.allocations > 1000 && before.memory.allocations > 100,
          "what the interpreter begins with is counted");
  run_python(kWorkload);
  const AllocatorStatistics after = allocator_statistics();
  for (const auto& [old, now] :
       {std::pair{before.objects, after.objects}, std::pair{before.memory, after.memory}}) {
    require(now.allocations > old.allocations + 1000, "allocations are counted");
    require(now.frees > old.frees + 1000, "and frees");
    require(now.frees <= now.allocations, "no more than those");
    require(now.bytes > 0 && now.bytes <= now.peak_bytes, "there was a peak");
    require(now.bytes <= now.committed_bytes, "blocks are in pages");
  }
  // Of which domain the items of a bytearray are is for the version to say.
  require(after.objects.peak_bytes + after.memory.peak_bytes > 10'000'000,
          "the peak is the workload's");
  finalize();
  require(!allocator_statistics().is_installed, "it ends with the interpreter");
});

const Program too_early("too_early", [] {
  use_the_library();
  require_refused(AllocatorStatus::kTooEarly, "call Py_PreInitialize()");
  pre_initialize();
  require(static_cast<bool>(install_allocator()), "then it is not too early");
  initialize();
  run_python(kWorkload);
  finalize();
});

const Program too_late("too_late", [] {
  use_the_library();
  pre_initialize();
  initialize();
  require_refused(AllocatorStatus::kTooLate, "between Py_PreInitialize() and");
  run_python(kWorkload);
  finalize();
});

const Program after_another("after_another", [] {
  use_the_library();
  pre_initialize();
  initialize();
  finalize();
  require_refused(AllocatorStatus::kTooEarly, "call Py_PreInitialize()");
  pre_initialize();
  require_refused(AllocatorStatus::kTooLate, "an interpreter has ended");
  initialize();
  finalize();
});

const Program again_and_again("again_and_again", [] {
  for (int life = 0; life < 4; ++life) {
    if (life > 0) require_refused(AllocatorStatus::kTooEarly, "call Py_PreInitialize()");
    start_with_allocator();
    require(allocator_statistics().is_installed, "it is installed");
    run_python(kWorkload);
    finalize();
  }
});

const Program twice("twice", [] {
  use_the_library();
  pre_initialize();
  require(static_cast<bool>(install_allocator({.objects = true, .memory = false})), "objects");
  PyMemAllocatorEx first;
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &first);
  require(static_cast<bool>(install_allocator()), "both");
  require(static_cast<bool>(install_allocator({.objects = false, .memory = false})), "neither");
  initialize();
  require(static_cast<bool>(install_allocator()), "when it runs, too");
  PyMemAllocatorEx last;
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &last);
  require(std::memcmp(&first, &last, sizeof first) == 0, "it is the same");
  run_python(kWorkload);
  const AllocatorStatistics statistics = allocator_statistics();
  require(statistics.objects.allocations > 0 && statistics.memory.allocations > 0, "both are used");
  finalize();
});

const Program one_domain("one_domain", [] {
  start_with_allocator({.objects = false, .memory = true});
  run_python(kWorkload);
  const AllocatorStatistics statistics = allocator_statistics();
  require(statistics.objects.allocations == 0 && statistics.memory.allocations > 1000,
          "only one is used");
  finalize();
});

const Program asked_otherwise("asked_otherwise", [] {
  use_the_library();
  pre_initialize(PYMEM_ALLOCATOR_MALLOC);
  require_refused(AllocatorStatus::kAskedOtherwise, "PyPreConfig.allocator");
  initialize();
  finalize();
});

const Program asked_by_environment("asked_by_environment", [] {
  use_the_library();
  setenv("PYTHONMALLOC", "pymalloc", 1);
  pre_initialize(PYMEM_ALLOCATOR_NOT_SET, true);
  require_refused(AllocatorStatus::kAskedOtherwise, "PYTHONMALLOC");
  initialize();
  finalize();
});

const Program environment_ignored("environment_ignored", [] {
  setenv("PYTHONMALLOC", "pymalloc", 1);
  start_with_allocator();
  finalize();
});

// What PYTHONMALLOC=debug and -X dev ask for, and debug builds have anyway.
const Program under_debug_hooks("under_debug_hooks", [] {
  use_the_library();
  pre_initialize(PYMEM_ALLOCATOR_DEBUG);
  require(static_cast<bool>(install_allocator()), "it is installed");
  initialize();
  require(static_cast<bool>(install_allocator()), "asked again, it says so");
  for (void* (*allocate)(size_t) : {&PyObject_Malloc, &PyMem_Malloc}) {
    const AllocatorStatistics before = allocator_statistics();
    auto* const block = static_cast<unsigned char*>(allocate(100));
    const AllocatorStatistics after = allocator_statistics();
    require(block != nullptr && block[0] == 0xCD && block[99] == 0xCD, "the hooks fill blocks");
    require(before.objects.allocations + before.memory.allocations + 1 ==
                after.objects.allocations + after.memory.allocations,
            "which are ours");
    allocate == &PyMem_Malloc ? PyMem_Free(block) : PyObject_Free(block);
  }
  run_python(kWorkload);
  finalize();
});

const Program no_mimalloc("no_mimalloc", [] {
  replace_mimalloc_for_testing(&stand_ins_for_testing());
  pre_initialize();
  require_refused(AllocatorStatus::kNoMimalloc, "install the package libmimalloc3");
  initialize();
  run_python(kWorkload);
  finalize();
});

int heaps_left = 0;

const Program no_memory("no_memory", [] {
  static Mimalloc poor = packaged_mimalloc_for_testing();
  poor.heap_new = []() noexcept -> mi_heap_t* {
    return heaps_left-- > 0 ? packaged_mimalloc_for_testing().heap_new() : nullptr;
  };
  replace_mimalloc_for_testing(&poor);
  pre_initialize();
  for (int heaps = 0; heaps < 2; ++heaps) {
    heaps_left = heaps;
    require_refused(AllocatorStatus::kNoMemory, "no memory");
  }
  heaps_left = 2;
  require(static_cast<bool>(install_allocator()), "with more it can be");
  initialize();
  run_python(kWorkload);
  finalize();
});

TEST(AllocatorTest, Runs) { EXPECT_TRUE(passes(runs)); }
TEST(AllocatorTest, TooEarly) { EXPECT_TRUE(passes(too_early)); }
TEST(AllocatorTest, TooLate) { EXPECT_TRUE(passes(too_late)); }
TEST(AllocatorTest, AfterAnInterpreterWithAnother) { EXPECT_TRUE(passes(after_another)); }
TEST(AllocatorTest, ForOneInterpreterAfterAnother) { EXPECT_TRUE(passes(again_and_again)); }
TEST(AllocatorTest, InstalledTwice) { EXPECT_TRUE(passes(twice)); }
TEST(AllocatorTest, OneDomain) { EXPECT_TRUE(passes(one_domain)); }
TEST(AllocatorTest, AskedOtherwise) { EXPECT_TRUE(passes(asked_otherwise)); }
TEST(AllocatorTest, AskedOtherwiseByTheEnvironment) { EXPECT_TRUE(passes(asked_by_environment)); }
TEST(AllocatorTest, AnIsolatedEnvironmentHasNoSay) { EXPECT_TRUE(passes(environment_ignored)); }
TEST(AllocatorTest, UnderDebugHooks) { EXPECT_TRUE(passes(under_debug_hooks)); }
TEST(AllocatorTest, NoMimalloc) { EXPECT_TRUE(passes(no_mimalloc)); }
TEST(AllocatorTest, NoMemory) { EXPECT_TRUE(passes(no_memory)); }

}  // namespace
}  // namespace tenure::pool
