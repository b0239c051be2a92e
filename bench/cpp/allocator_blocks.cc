// What a block of CPython's object domain costs, made and freed: 16 at a time, as small objects
// come and go. PYTHONMALLOC chooses the allocator; without it, it is install_allocator()'s.
//
// Usage: allocator_blocks. Prints {"one_ns": of 48 bytes, "many_ns": of 16 sizes up to 616}, the
// fastest of many rounds each.

#include <Python.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "tenure/pool/allocator.h"

namespace {

constexpr int kRounds = 60;
constexpr int kTurns = 10'000;
constexpr size_t kBlocks = 16;

// The compiler is to know neither of them as malloc() and free().
void* (*volatile allocate)(size_t) = &PyObject_Malloc;
void (*volatile release)(void*) = &PyObject_Free;

template <typename Size>
double fastest(const Size& size) {
  std::array<void*, kBlocks> blocks{};
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int turn = 0; turn < kTurns; ++turn) {
      for (size_t i = 0; i < kBlocks; ++i) blocks[i] = allocate(size(i));
      for (void* block : blocks) release(block);
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count() / kTurns / kBlocks);
  }
  return best;
}

}  // namespace

int main() {
  PyPreConfig preconfig;
  PyPreConfig_InitPythonConfig(&preconfig);
  if (PyStatus_Exception(Py_PreInitialize(&preconfig))) return 1;
  const tenure::pool::AllocatorAnswer answer = tenure::pool::install_allocator();
  const bool is_peer = answer.status == tenure::pool::AllocatorStatus::kAskedOtherwise;
  if (!answer && !is_peer) {
    std::fprintf(stderr, "%s\n", answer.reason);
    return 1;
  }
  Py_Initialize();
  const double one = fastest([](size_t) { return size_t{48}; });
  const double many = fastest([](size_t i) { return 16 + i * 40; });
  std::printf("{\"one_ns\": %.3f, \"many_ns\": %.3f}\n", one, many);
  return Py_FinalizeEx() == 0 ? 0 : 1;
}
