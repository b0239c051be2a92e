// What programs do with an interpreter whose memory is mimalloc's. Each in a process of its own.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/graph/immortalize.h"
#include "tenure/immortal/graph/prefork.h"
#include "tenure/pool/allocator.h"
#include "tenure/tests/pool/allocator_programs.h"
#include "tenure/tests/support/programs.h"

namespace tenure::pool {
namespace {

using testing::finalize;
using testing::kWorkload;
using testing::passes;
using testing::Program;
using testing::require;
using testing::run_python;
using testing::start_with_allocator;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// The contract of PyMem_SetAllocator(), as its documentation has it.
template <auto Malloc, auto Calloc, auto Realloc, auto Free>
void require_contract() {
  void* const first = Malloc(0);
  void* const second = Malloc(0);
  void* const third = Calloc(0, 0);
  void* fourth = Realloc(nullptr, 0);
  require(first && second && third && fourth, "nothing has an address");
  require(first != second && second != third && third != fourth, "of its own");
  for (void* block : {first, second, third}) Free(block);
  fourth = Realloc(fourth, 1000);
  require(fourth != nullptr, "it can grow");
  static_cast<char*>(fourth)[0] = 7;
  fourth = Realloc(fourth, 100'000);
  require(fourth != nullptr && static_cast<char*>(fourth)[0] == 7, "and keeps what is in it");
  fourth = Realloc(fourth, 0);
  require(fourth != nullptr, "shrunk to nothing it is there");
  Free(fourth);
  Free(nullptr);
  // The compiler is not to know.
  volatile size_t half = size_t{1} << 33;
  volatile size_t most = PY_SSIZE_T_MAX;
  require(Calloc(half, half) == nullptr, "a product that overflows is refused");
  require(Malloc(most) == nullptr, "and too much");
  require(Malloc(most + 1) == nullptr, "and more than that");
  for (size_t size = 1; size < 5000; size += 7) {
    auto* const block = static_cast<char*>(Calloc(1, size));
    require(block != nullptr && block[0] == 0 && block[size - 1] == 0, "zeroed");
    require(size < 16 || reinterpret_cast<uintptr_t>(block) % 16 == 0, "aligned as objects are");
    block[size - 1] = 1;
    Free(block);
  }
}

const Program keeps_the_contract("keeps_the_contract", [] {
  start_with_allocator();
  require_contract<PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free>();
  require_contract<PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free>();
  finalize();
});

const Program counts_exactly("counts_exactly", [] {
  start_with_allocator();
  const DomainStatistics before = allocator_statistics().objects;
  std::vector<void*> blocks;
  // Without what debug hooks add.
  PyMemAllocatorEx objects;
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &objects);
  blocks.reserve(1000);
  for (int i = 0; i < 1000; ++i) blocks.push_back(objects.malloc(objects.ctx, 64));
  const DomainStatistics held = allocator_statistics().objects;
  require(held.allocations == before.allocations + 1000, "each is counted");
  require(held.bytes >= before.bytes + 64'000, "with its bytes");
  for (void* block : blocks) objects.free(objects.ctx, block);
  const DomainStatistics after = allocator_statistics().objects;
  require(after.frees == before.frees + 1000, "and when it is freed");
  require(after.bytes == before.bytes, "nothing is left");
  require(after.peak_bytes >= held.bytes, "the peak stays");
  finalize();
});

const Program many_threads("many_threads", [] {
  start_with_allocator();
  testing::run_python(R"(
import threading
lists = []
def work(number):
    mine = [object() for _ in range(20000)]
    lists.append([str(i) * 5 for i in range(20000)])
    del mine
workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert len(lists) == 8
lists.clear()     # freed by another thread than made them
)");
  const AllocatorStatistics statistics = allocator_statistics();
  require(statistics.objects.frees >= 8 * 20'000, "what other threads have done is counted");
  require(statistics.objects.committed_bytes >= statistics.objects.bytes, "there are pages");
  finalize();
});

void run_in_interpreters(int gil) {
  PyThreadState* const main = PyThreadState_Get();
  std::vector<PyThreadState*> states;
  for (int i = 0; i < 3; ++i) {
    const PyInterpreterConfig config = {.use_main_obmalloc = 0,
                                        .allow_fork = 1,
                                        .allow_exec = 1,
                                        .allow_threads = 1,
                                        .allow_daemon_threads = 0,
                                        .check_multi_interp_extensions = 1,
                                        .gil = gil};
    PyThreadState* state = nullptr;
    require(!PyStatus_Exception(Py_NewInterpreterFromConfig(&state, &config)), "an interpreter");
    states.push_back(state);
    PyThreadState_Swap(main);
  }
  require(allocator_statistics().objects.committed_bytes == 0, "others may be in its pages");
  PyThreadState* const mine = PyEval_SaveThread();
  std::vector<std::thread> threads;
  for (PyThreadState* state : states) {
    threads.emplace_back([state] {
      // A thread state is of the thread that made it.
      PyThreadState* const own = PyThreadState_New(PyThreadState_GetInterpreter(state));
      PyEval_RestoreThread(own);
      run_python(kWorkload);
      PyThreadState_Clear(own);
      PyThreadState_DeleteCurrent();
    });
  }
  for (std::thread& thread : threads) thread.join();
  PyEval_RestoreThread(mine);
  for (PyThreadState* state : states) {
    PyThreadState_Swap(state);
    Py_EndInterpreter(state);
  }
  PyThreadState_Swap(main);
}

const Program interpreters("interpreters", [] {
  start_with_allocator();
  for (int round = 0; round < 3; ++round) run_in_interpreters(PyInterpreterConfig_OWN_GIL);
  require(allocator_statistics().objects.committed_bytes > 0, "it is alone again");
  run_python(kWorkload);
  finalize();
});

const Program forks("forks", [] {
  start_with_allocator();
  run_python(R"(
import os, threading, time, warnings
warnings.simplefilter("ignore")
is_over = False
def work():
    while not is_over:
        made = [[str(i)] * 3 for i in range(500)]
        one = threading.Thread(target=lambda: [object() for _ in range(100)])
        one.start(); one.join()
workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers: worker.start()
held = [str(i) for i in range(10000)]
for number in range(20):
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(50)
        del held
        more = [[i] * (i % 100) for i in range(20000)]
        table = {str(i): i for i in range(1000)}
        del more
        os._exit(7 if len(table) == 1000 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, (number, status)
is_over = True
for worker in workers: worker.join()
)");
  finalize();
});

const Program child_goes_on("child_goes_on", [] {
  start_with_allocator();
  run_python("held = [str(i) for i in range(10000)]");
  // As os.fork() does.
  PyOS_BeforeFork();
  const pid_t child = fork();
  if (child == 0) {
    PyOS_AfterFork_Child();
    const AllocatorStatistics statistics = allocator_statistics();
    require(statistics.is_installed && statistics.objects.bytes > 0, "the child has it, too");
    run_python(kWorkload);
    trim_allocator();
    finalize();
    std::exit(7);
  }
  PyOS_AfterFork_Parent();
  int status = 0;
  require(waitpid(child, &status, 0) == child, "there is a child");
  require(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child has ended well");
  finalize();
});

const Program traced("traced", [] {
  start_with_allocator();
  PyMemAllocatorEx before;
  PyMemAllocatorEx after;
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &before);
  run_python(R"(
import tracemalloc
tracemalloc.start()
held = [bytes(100) for _ in range(1000)]
now, peak = tracemalloc.get_traced_memory()
assert now >= 100_000, now
)");
  require(static_cast<bool>(install_allocator()), "asked again while it is traced, it says so");
  run_python("tracemalloc.stop(); del held");
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &after);
  require(before.malloc == after.malloc && before.ctx == after.ctx, "it is ours as before");
  finalize();
});

const Program asked_by_sys("asked_by_sys", [] {
  start_with_allocator();
  run_python(R"(
import sys, gc
sys._debugmallocstats()
assert sys.getallocatedblocks() >= 0
gc.freeze(); gc.unfreeze()
)");
  finalize();
});

size_t resident_bytes() {
  long pages = 0;
  long resident = 0;
  FILE* const file = std::fopen("/proc/self/statm", "r");
  require(file != nullptr && std::fscanf(file, "%ld %ld", &pages, &resident) == 2, "statm");
  std::fclose(file);
  return static_cast<size_t>(resident) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

const Program trims("trims", [] {
  start_with_allocator();
  run_python("import gc; [object() for _ in range(100_000)]");
  trim_allocator();
  const size_t before = resident_bytes();
  run_python("held = [[str(i), (i, i)] for i in range(1_000_000)]");
  const size_t most = resident_bytes();
  run_python("del held; gc.collect()");
  trim_allocator();
  const size_t after = resident_bytes();
  const AllocatorStatistics statistics = allocator_statistics();
  std::printf("%zu, %zu, %zu; %zu and %zu committed\n", before, most, after,
              static_cast<size_t>(statistics.objects.committed_bytes),
              static_cast<size_t>(statistics.memory.committed_bytes));
  require(most > before + 100'000'000, "there was much");
  if (!kIsSanitized) require(after < before + before / 5, "and it is given back");
  require(statistics.objects.peak_bytes > statistics.objects.bytes + 50'000'000,
          "there was a peak");
  finalize();
});

// What leaves half-used pools behind knows only the interpreter's own.
const Program is_made_ready_for_forks("is_made_ready_for_forks", [] {
  start_with_allocator();
  run_python("import json, re; held = {i: [str(i)] for i in range(10000)}");
  graph::Prefork done;
  require(graph::prefork({}, done), "it is done");
  require(done.immortal.objects > 10'000, "objects are immortal");
  run_python("del held; x = [[str(i)] for i in range(10000)]; del x");
  run_python(kWorkload);
  finalize();
});

// Raw memory may be older and freed by an interpreter that has the allocator.
const Program raw_stays("raw_stays", [] {
  wchar_t* const text = Py_DecodeLocale("text", nullptr);
  void* const block = PyMem_RawMalloc(100);
  start_with_allocator();
  PyMem_RawFree(block);
  PyMem_RawFree(text);
  finalize();
  PyMem_RawFree(PyMem_RawMalloc(100));
});

TEST(AllocatorUseTest, KeepsTheContract) {
  if (kIsSanitized) setenv("ASAN_OPTIONS", "detect_leaks=0:allocator_may_return_null=1", 1);
  EXPECT_TRUE(passes(keeps_the_contract));
}
TEST(AllocatorUseTest, CountsExactly) { EXPECT_TRUE(passes(counts_exactly)); }
TEST(AllocatorUseTest, Threads) { EXPECT_TRUE(passes(many_threads)); }
TEST(AllocatorUseTest, InterpretersWithGilsOfTheirOwn) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "TSan does not see how mimalloc passes blocks from one thread to another";
#endif
  EXPECT_TRUE(passes(interpreters));
}
TEST(AllocatorUseTest, ForksWhileThreadsRun) { EXPECT_TRUE(passes(forks)); }
TEST(AllocatorUseTest, AChildGoesOn) { EXPECT_TRUE(passes(child_goes_on)); }
TEST(AllocatorUseTest, Tracemalloc) { EXPECT_TRUE(passes(traced)); }
TEST(AllocatorUseTest, WhatSysSays) { EXPECT_TRUE(passes(asked_by_sys)); }
TEST(AllocatorUseTest, GivesMemoryBack) { EXPECT_TRUE(passes(trims)); }
TEST(AllocatorUseTest, Prefork) { EXPECT_TRUE(passes(is_made_ready_for_forks)); }
TEST(AllocatorUseTest, RawMemoryIsMallocs) { EXPECT_TRUE(passes(raw_stays)); }

}  // namespace
}  // namespace tenure::pool
