#include "tenure/tests/support/failing_memory.h"

#include <array>
#include <atomic>
#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::testing {
namespace {

constexpr std::array kDomains = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

// The allocators that a FailingMemory stands before; one is alive at a time.
std::array<PyMemAllocatorEx, kDomains.size()> real_allocators;

// Of the latest. Relaxed everywhere: each is a number by itself, and threads that a test wants
// counted in some order are ordered by the test.
std::atomic<long> allocations_left{0};
std::atomic<long> allocations_failed{0};
std::atomic<long> blocks_kept{0};
std::atomic<Fails> which_fail{Fails::kFromThenOn};

const PyMemAllocatorEx& real(void* context) { return *static_cast<PyMemAllocatorEx*>(context); }

void* counted(void* block) {
  if (block != nullptr) blocks_kept.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* fail_malloc(void* context, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  return counted(real(context).malloc(real(context).ctx, bytes));
}

void* fail_calloc(void* context, size_t count, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  return counted(real(context).calloc(real(context).ctx, count, bytes));
}

void* fail_realloc(void* context, void* block, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  void* const moved = real(context).realloc(real(context).ctx, block, bytes);
  return block == nullptr ? counted(moved) : moved;
}

void count_free(void* context, void* block) {
  if (block != nullptr) blocks_kept.fetch_sub(1, std::memory_order_relaxed);
  real(context).free(real(context).ctx, block);
}

}  // namespace

FailingMemory::FailingMemory(long n, Fails fails) {
  allocations_left = n;
  allocations_failed = 0;
  blocks_kept = 0;
  which_fail = fails;
  for (size_t i = 0; i < kDomains.size(); ++i) {
    PyMem_GetAllocator(kDomains[i], &real_allocators[i]);
    PyMemAllocatorEx failing{&real_allocators[i], fail_malloc, fail_calloc, fail_realloc,
                             count_free};
    PyMem_SetAllocator(kDomains[i], &failing);
  }
}

FailingMemory::~FailingMemory() {
  for (size_t i = 0; i < kDomains.size(); ++i) {
    PyMem_SetAllocator(kDomains[i], &real_allocators[i]);
  }
}

long FailingMemory::failures() { return allocations_failed.load(std::memory_order_relaxed); }

long FailingMemory::kept() { return blocks_kept.load(std::memory_order_relaxed); }

bool FailingMemory::may_allocate() {
  const long left = allocations_left.fetch_sub(1, std::memory_order_relaxed);
  const bool fails =
      which_fail.load(std::memory_order_relaxed) == Fails::kOnce ? left == 0 : left <= 0;
  if (fails) allocations_failed.fetch_add(1, std::memory_order_relaxed);
  return !fails;
}

}  // namespace tenure::testing
