#include "tenure/pool/interpreter_heap.h"

#include <pthread.h>

#include <new>

#include "tenure/core/abi/instance_memory.h"
#include "tenure/pool/instance_front.h"

namespace tenure::pool {

namespace {

// Pushed in front of with a release, which publishes the heap; nothing is ever taken out. Partner:
// the acquire of find_at().
constinit std::atomic<InterpreterHeap*> newest_heap{nullptr};

// Counts how often the runtime has ended. Relaxed: who reads it is attached to an interpreter that
// was made after the last end, or before the next.
constinit std::atomic<uint32_t> life{0};
constinit std::atomic<bool> sees_end_of_runtime{false};

// The main interpreter has the same address and number in the runtime's next life. Without a place
// among CPython's exit functions (there are 32), it is taken for the one that ended, and its
// instances come from mimalloc directly.
void watch_end_of_runtime() {
  if (sees_end_of_runtime.exchange(true, std::memory_order_relaxed)) return;
  const bool is_watched = Py_AtExit([] {
                            life.fetch_add(1, std::memory_order_relaxed);
                            sees_end_of_runtime.store(false, std::memory_order_relaxed);
                          }) == 0;
  if (!is_watched) sees_end_of_runtime.store(false, std::memory_order_relaxed);
}

constinit std::atomic<bool> sees_forks{false};

}  // namespace

InterpreterHeap* InterpreterHeap::find_at(const PyInterpreterState* interpreter) {
  InterpreterHeap* heap = newest_heap.load(std::memory_order_acquire);
  while (heap != nullptr && !heap->is_at(interpreter)) heap = heap->next_;
  return heap;
}

InterpreterHeap* InterpreterHeap::find() {
  InterpreterHeap* const heap = find_at(PyInterpreterState_Get());
  return heap != nullptr && heap->is_of_current() ? heap : nullptr;
}

InterpreterHeap* InterpreterHeap::current() {
  PyInterpreterState* const interpreter = PyInterpreterState_Get();
  InterpreterHeap* heap = find_at(interpreter);
  if (heap == nullptr) {
    void* const memory = allocate_lasting(sizeof(InterpreterHeap), alignof(InterpreterHeap));
    if (memory == nullptr) {
      PyErr_NoMemory();
      return nullptr;
    }
    // No other thread is attached to the interpreter, so that nobody makes another one for it.
    heap = ::new (memory) InterpreterHeap(interpreter);
    heap->next_ = newest_heap.load(std::memory_order_relaxed);
    while (!newest_heap.compare_exchange_weak(heap->next_, heap, std::memory_order_release,
                                              std::memory_order_relaxed)) {
    }
  }
  return heap->make_ready() ? heap : nullptr;
}

bool InterpreterHeap::is_of_current() const {
  return id_ == PyInterpreterState_GetID(interpreter_) &&
         life_ == life.load(std::memory_order_relaxed);
}

bool InterpreterHeap::make_ready() {
  if (is_of_current()) return true;
  for (Front* front = fronts_; front != nullptr; front = front->next_in_heap) front->forget();
  mi_heap_t* const heap = mimalloc().heap_new();
  if (heap == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  if (PyUnstable_AtExit(interpreter_, &InterpreterHeap::end, this) < 0) {
    mimalloc().heap_delete(heap);
    return false;
  }
  watch_end_of_runtime();
  if (!sees_forks.exchange(true, std::memory_order_relaxed)) {
    pthread_atfork(nullptr, nullptr, &after_fork_in_child);
  }
  abi::find_current_state();
  abi::find_tracer();
  heap_ = heap;
  id_ = PyInterpreterState_GetID(interpreter_);
  life_ = life.load(std::memory_order_relaxed);
  is_ended_ = false;
  return true;
}

void InterpreterHeap::end(void* argument) {
  auto& heap = *static_cast<InterpreterHeap*>(argument);
  heap.is_ended_ = true;
  for (Front* front = heap.fronts_; front != nullptr; front = front->next_in_heap) front->close();
  mi_heap_t* const dissolved = heap.heap_;
  heap.heap_ = nullptr;
  if (dissolved != nullptr) mimalloc().heap_delete(dissolved);
}

// CPython frees all interpreters but the main one there without telling anybody. What their fronts
// kept is left where it is: their threads may have been in the middle of something.
void InterpreterHeap::after_fork_in_child() {
  const PyInterpreterState* const kept = PyInterpreterState_Main();
  InterpreterHeap* heap = newest_heap.load(std::memory_order_relaxed);
  for (; heap != nullptr; heap = heap->next_) {
    if (heap->is_at(kept)) continue;
    heap->is_ended_ = true;
    heap->id_ = -1;
    for (Front* front = heap->fronts_; front != nullptr; front = front->next_in_heap) {
      front->forget();
    }
  }
}

void* InterpreterHeap::allocate(size_t size) {
  const Mimalloc& library = mimalloc();
  return library.heap_malloc(is_ended_ ? library.heap_main() : heap_, size);
}

void* InterpreterHeap::allocate_lasting(size_t size, size_t alignment) {
  const Mimalloc& library = mimalloc();
  return library.heap_malloc_aligned(library.heap_main(), size, alignment);
}

void InterpreterHeap::release(void* block) { mimalloc().free(block); }

void InterpreterHeap::return_pages() {
  if (is_ended_) return;
  mimalloc().heap_collect(heap_, true);
  mimalloc().arenas_purge();
}

void InterpreterHeap::add(Front& front) {
  front.next_in_heap = fronts_;
  fronts_ = &front;
}

}  // namespace tenure::pool
