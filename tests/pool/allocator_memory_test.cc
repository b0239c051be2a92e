// An interpreter whose memory is mimalloc's, when there is none left. In processes of their own.

#include <cstdio>

#include <gtest/gtest.h>

#include "tenure/core/abi/python.h"
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
  PyObject* const globals = PyDict_New();
  PyObject* const code = Py_CompileString(
      "made = [bytearray(i) for i in range(100)]\n"
      "table = {i: (i, [i] * i) for i in range(1000, 1050)}\n"
      "made.extend(table.values())\n"
      "del made, table\n",
      "memory", Py_file_input);
  require(globals != nullptr && code != nullptr, "there is a program");
  uint64_t bytes = 0;
  for (long n = 0;; ++n) {
    left = n;
    PyObject* const done = PyEval_EvalCode(code, globals, globals);
    const bool has_failed = left < 0;
    left = 1L << 60;
    if (done == nullptr) {
      require(PyErr_ExceptionMatches(PyExc_MemoryError) != 0, "it is a MemoryError");
      PyErr_Clear();
    }
    Py_XDECREF(done);
    PyRun_SimpleString("pass");
    PyDict_Clear(globals);
    PyGC_Collect();
    if (n == 100) bytes = allocator_statistics().objects.bytes;
    if (!has_failed) break;
    require(n < 100'000, "it ends");
  }
  require(allocator_statistics().objects.bytes < bytes + 100'000, "nothing was left behind");
  Py_DECREF(code);
  Py_DECREF(globals);
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
