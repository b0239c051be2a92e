#include "tenure/pool/fork_gate.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tenure::pool::internal {
namespace {

// Taken last of all: whoever has it calls mimalloc and nothing else. Each copy of this file has
// one, and fork() takes them all.
constinit std::mutex gate;

// The library's. Written before the table that leads here is published.
Mimalloc real;
decltype(&mi_thread_done) real_thread_done = nullptr;

// Which heaps this thread has used before, each at a place that its address chooses. One that was
// displaced goes through the gate once more than it needs to.
constexpr size_t kPlaces = 16;
constinit thread_local std::array<mi_heap_t*, kPlaces> used_heaps = {};

mi_heap_t*& place_of(mi_heap_t* heap) {
  // Fibonacci hashing: heaps lie at distances that are powers of two.
  const auto mixed = reinterpret_cast<uintptr_t>(heap) * 0x9E3779B97F4A7C15U;
  return used_heaps[mixed >> 60];
}

// What a thread leaves through, before the library's own end of it, which then finds nothing to do.
class Leaving {
 public:
  ~Leaving() {
    // The last thread to end is the process, and what runs after this may allocate.
    if (!has_entered_ || gettid() == getpid()) return;
    used_heaps = {};
    const std::lock_guard lock(gate);
    real_thread_done();
  }
  void enter() { has_entered_ = true; }

 private:
  bool has_entered_ = false;
};
constinit thread_local Leaving leaving;

template <typename Call>
[[gnu::noinline]] void* call_first(mi_heap_t* heap, const Call& call) {
  leaving.enter();
  void* block;
  {
    const std::lock_guard lock(gate);
    block = call();
  }
  // Without memory the heap may not know the thread yet.
  if (block != nullptr) place_of(heap) = heap;
  return block;
}

template <typename Call>
void* call_on(mi_heap_t* heap, const Call& call) {
  if (place_of(heap) == heap) [[likely]]
    return call();
  return call_first(heap, call);
}

// A heap that ends, or has just begun: one at the same address is another.
void forget(mi_heap_t* heap) {
  if (place_of(heap) == heap) place_of(heap) = nullptr;
}

mi_heap_t* heap_new() noexcept {
  mi_heap_t* heap;
  {
    const std::lock_guard lock(gate);
    heap = real.heap_new();
  }
  forget(heap);
  return heap;
}

void heap_delete(mi_heap_t* heap) {
  forget(heap);
  const std::lock_guard lock(gate);
  real.heap_delete(heap);
}

void heap_destroy(mi_heap_t* heap) {
  forget(heap);
  const std::lock_guard lock(gate);
  real.heap_destroy(heap);
}

void* heap_malloc(mi_heap_t* heap, size_t size) noexcept {
  return call_on(heap, [=] { return real.heap_malloc(heap, size); });
}

void* heap_zalloc(mi_heap_t* heap, size_t size) noexcept {
  return call_on(heap, [=] { return real.heap_zalloc(heap, size); });
}

void* heap_calloc(mi_heap_t* heap, size_t count, size_t size) noexcept {
  return call_on(heap, [=] { return real.heap_calloc(heap, count, size); });
}

void* heap_realloc(mi_heap_t* heap, void* block, size_t size) noexcept {
  return call_on(heap, [=] { return real.heap_realloc(heap, block, size); });
}

void* heap_malloc_aligned(mi_heap_t* heap, size_t size, size_t alignment) noexcept {
  return call_on(heap, [=] { return real.heap_malloc_aligned(heap, size, alignment); });
}

void heap_collect(mi_heap_t* heap, bool force) {
  const std::lock_guard lock(gate);
  real.heap_collect(heap, force);
}

void collect(bool force) noexcept {
  const std::lock_guard lock(gate);
  real.collect(force);
}

void arenas_purge() noexcept {
  const std::lock_guard lock(gate);
  real.arenas_purge();
}

bool heap_visit_blocks(mi_heap_t* heap, bool blocks, mi_block_visit_fun* visit, void* context) {
  const std::lock_guard lock(gate);
  return real.heap_visit_blocks(heap, blocks, visit, context);
}

}  // namespace

void put_gate(Mimalloc& table, decltype(&mi_thread_done) thread_done) {
  static std::once_flag once;
  std::call_once(once, [&] {
    real = table;
    real_thread_done = thread_done;
    pthread_atfork([] { gate.lock(); }, [] { gate.unlock(); }, [] { gate.unlock(); });
  });
  table.heap_new = &heap_new;
  table.heap_delete = &heap_delete;
  table.heap_destroy = &heap_destroy;
  table.heap_collect = &heap_collect;
  table.heap_malloc = &heap_malloc;
  table.heap_zalloc = &heap_zalloc;
  table.heap_calloc = &heap_calloc;
  table.heap_realloc = &heap_realloc;
  table.heap_malloc_aligned = &heap_malloc_aligned;
  table.heap_visit_blocks = &heap_visit_blocks;
  table.collect = &collect;
  table.arenas_purge = &arenas_purge;
}

}  // namespace tenure::pool::internal
