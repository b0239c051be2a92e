// An interpreter whose memory is mimalloc's, when there is none left. In processes of their own.

#include <cstdio>

#include <gtest/gtest.h>

#include "tenure/core/abi/python.h"
#include "tenure/core/strong.h"
#include "tenure/pool/allocator.h"
#include "tenure/pool/mimalloc.h"
#include "tenure/tests/pool/allocator_programs.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/scarce_memory.h"

namespace tenure::pool {
namespace {

using testing::Fails;
using testing::finalize;
using testing::passes;
using testing::pre_initialize;
using testing::Program;
using testing::require;
using testing::ScarceMemory;

// Objects of many kinds and sizes. No bytecode: debug builds of 3.14 fail an assertion of their own
// when the evaluation loop has no memory.
bool make_objects() {
  const Strong list = PyList_New(0);
  const Strong table = PyDict_New();
  if (!list || !table) return false;
  for (int i = 0; i < 40; ++i) {
    const Strong text = PyUnicode_FromFormat("text %d of %R", i, Py_True);
    const Strong bytes = PyByteArray_FromStringAndSize(nullptr, i * 100);
    const Strong number = PyFloat_FromDouble(i);
    if (!text || !bytes || !number) return false;
    const Strong both = PyTuple_Pack(2, text.get(), bytes.get());
    if (!both || PyList_Append(list.get(), both.get()) < 0 ||
        PyDict_SetItem(table.get(), number.get(), list.get()) < 0 ||
        PyByteArray_Resize(bytes.get(), i * 200) < 0) {
      return false;
    }
  }
  return true;
}

// Every allocation of a piece of Python in turn, underneath the domains: as the library would.
const Program runs_out("runs_out", [] {
  // Before it is installed, which keeps the functions that it finds.
  static Mimalloc poor = packaged_mimalloc_for_testing();
  static long left;
  left = 1L << 60;
  poor.heap_malloc = [](mi_heap_t* heap, size_t size) noexcept -> void* {
    return left-- > 0 ? packaged_mimalloc_for_testing().heap_malloc(heap, size) : nullptr;
  };
  poor.heap_calloc = [](mi_heap_t* heap, size_t count, size_t size) noexcept -> void* {
    return left-- > 0 ? packaged_mimalloc_for_testing().heap_calloc(heap, count, size) : nullptr;
  };
  poor.heap_realloc = [](mi_heap_t* heap, void* block, size_t size) noexcept -> void* {
    return left-- > 0 ? packaged_mimalloc_for_testing().heap_realloc(heap, block, size) : nullptr;
  };
  replace_mimalloc_for_testing(&poor);
  pre_initialize();
  require(static_cast<bool>(install_allocator()), "it is installed");
  testing::initialize();
  uint64_t before = 0;
  for (long n = 0;; ++n) {
    left = n;
    const bool is_done = make_objects();
    const bool has_failed = left < 0;
    left = 1L << 60;
    require(is_done || has_failed, "with memory it can be done");
    require(is_done || PyErr_ExceptionMatches(PyExc_MemoryError) != 0, "it is a MemoryError");
    PyErr_Clear();
    if (n % 100 == 0) testing::run_python("assert sum(len(str(i)) for i in range(100)) == 190");
    if (n == 100) before = allocator_statistics().objects.bytes;
    if (!has_failed) break;
    require(n < 100'000, "it ends");
  }
  PyGC_Collect();
  require(before > 0, "there was something to ask for");
  require(allocator_statistics().objects.bytes < before + 10'000, "nothing was left behind");
  finalize();
});

// Where heaps are made and installed.
const Program installing_runs_out("installing_runs_out", [] {
  replace_mimalloc_for_testing(&packaged_mimalloc_for_testing());
  pre_initialize();
  long n = 0;
  for (;; ++n) {
    AllocatorStatus status;
    long kept;
    bool has_failed;
    {
      const ScarceMemory scarce(n, Fails::kFromThenOn);
      // The domains stand behind the hooks of the scarcity, which go with it.
      status = install_allocator().status;
      kept = ScarceMemory::kept();
      has_failed = ScarceMemory::failures() > 0;
    }
    if (!has_failed) {
      require(status == AllocatorStatus::kInstalled, "with memory it is installed");
      break;
    }
    require(status == AllocatorStatus::kNoMemory, "without it says why");
    require(kept == 0, "and keeps nothing");
    require(!allocator_statistics().is_installed, "and is not installed");
  }
  require(n == 2, "there are two heaps to make");
});

TEST(AllocatorMemoryTest, PythonRunsOutOfIt) { EXPECT_TRUE(passes(runs_out)); }
TEST(AllocatorMemoryTest, InstallingRunsOutOfIt) { EXPECT_TRUE(passes(installing_runs_out)); }

}  // namespace
}  // namespace tenure::pool
