#include "tenure/pool/instance_front.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "tenure/core/abi/immortal.h"
#include "tenure/pool/interpreter_heap.h"

namespace tenure::pool {

PyObject* Front::take_from_heap() {
  void* const block = heap->allocate(block_bytes);
  if (block == nullptr) return nullptr;
  abi::trace_block(block, block_bytes);
  ++from_heap;
  high_water = std::max(high_water, outstanding());
  return reinterpret_cast<PyObject*>(static_cast<char*>(block) + bytes_in_front);
}

void Front::spill(PyObject* memory) {
  char* const block = block_of(memory);
  ++to_heap;
  abi::untrace_block(block);
  InterpreterHeap::release(block);
}

size_t Front::trim() {
  const size_t bytes = retained() * block_bytes;
  while (!is_empty()) spill(pop());
  return bytes;
}

bool Front::open() {
  tracer = abi::tracer_place();
  if (bytes_in_front > 0 && abi::find_collector(collector) == abi::Found::kError) return false;
  const size_t most = std::min(pool->most_instances, pool->most_bytes / block_bytes);
  if (most == 0 || heap->is_ended()) return true;
  auto* const places = static_cast<PyObject**>(heap->allocate(most * sizeof(PyObject*)));
  if (places == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  top = bottom = places;
  end = places + most;
  return true;
}

void Front::close() {
  trim();
  if (bottom != nullptr) InterpreterHeap::release(bottom);
  top = bottom = end = nullptr;
}

void Front::forget() {
  top = bottom = end = nullptr;
  from_heap = to_heap = 0;
  high_water = 0;
}

namespace {

// Finds out whether the collector can be told of instances, if that is still open. False with a
// Python error set.
bool ask_collector(ptrdiff_t bytes_in_front) {
  abi::Collector collector;
  return bytes_in_front <= 0 || abi::find_collector(collector) != abi::Found::kError;
}

Front* make_front(PoolRecord& pool, size_t bytes_in_front) {
  InterpreterHeap* const heap = InterpreterHeap::current();
  if (heap == nullptr) return nullptr;
  Front* front = heap->fronts();
  while (front != nullptr && (front->pool != &pool || front->bytes_in_front != bytes_in_front)) {
    front = front->next_in_heap;
  }
  const bool is_new = front == nullptr;
  if (is_new) {
    void* const memory = InterpreterHeap::allocate_lasting(sizeof(Front), alignof(Front));
    if (memory == nullptr) {
      PyErr_NoMemory();
      return nullptr;
    }
    front = ::new (memory) Front{};
    Py_SET_TYPE(&front->note, &PyBaseObject_Type);
    abi::set_immortal_count(&front->note);
    front->pool = &pool;
    front->heap = heap;
    front->bytes_in_front = bytes_in_front;
    front->block_bytes = bytes_in_front + pool.object_size;
  }
  if (front->end == nullptr && !front->open()) {
    if (is_new) InterpreterHeap::release(front);
    return nullptr;
  }
  if (is_new) {
    heap->add(*front);
    front->next_in_pool = pool.fronts.load(std::memory_order_relaxed);
    while (!pool.fronts.compare_exchange_weak(front->next_in_pool, front, std::memory_order_release,
                                              std::memory_order_relaxed)) {
    }
  }
  return front;
}

// The front of that pool in the current interpreter; null if there is none.
Front* find_front(PoolRecord& pool, size_t bytes_in_front) {
  const PyInterpreterState* const interpreter = abi::interpreter_of(abi::current_state());
  const auto fits = [&](const Front* front) {
    return front->heap->is_at(interpreter) && front->bytes_in_front == bytes_in_front;
  };
  Front* front = pool.recent.load(std::memory_order_acquire);
  if (front != nullptr && fits(front)) return front;
  front = pool.fronts.load(std::memory_order_acquire);
  while (front != nullptr && !fits(front)) front = front->next_in_pool;
  if (front != nullptr) pool.recent.store(front, std::memory_order_release);
  return front;
}

}  // namespace

bool is_pooled(const PoolRecord& pool, const PyTypeObject* type) {
  if (abi::kFreeThreaded || type->tp_alloc != pool.alloc || type->tp_free != pool.free ||
      type->tp_itemsize != 0 || static_cast<size_t>(type->tp_basicsize) != pool.object_size) {
    return false;
  }
  const ptrdiff_t in_front = abi::bytes_in_front(type);
  if (in_front == 0) return pool.kind != Kind::kCollected;
  return in_front > 0 && pool.kind != Kind::kPlain && abi::knows_collector();
}

Taken take_slowly(PoolRecord& pool, PyTypeObject* type, Front*& front, PyObject*& memory) {
  const ptrdiff_t in_front = abi::bytes_in_front(type);
  if (!ask_collector(in_front)) return Taken::kError;
  if (!is_pooled(pool, type)) {
    if constexpr (!abi::kFreeThreaded) pool.fallbacks->fetch_add(1, std::memory_order_relaxed);
    return Taken::kNotPooled;
  }
  front = find_front(pool, in_front);
  // Without room to keep anything it may be another interpreter's that was here before.
  if (front == nullptr || front->end == nullptr) {
    front = make_front(pool, in_front);
    if (front == nullptr) return Taken::kError;
  }
  memory = front->is_empty() ? front->take_from_heap() : front->pop();
  if (memory == nullptr) {
    PyErr_NoMemory();
    return Taken::kError;
  }
  if (in_front <= static_cast<ptrdiff_t>(sizeof(abi::CollectorHead))) {
    PyObject*& note = abi::note_of(type);
    if (note == nullptr && (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) note = &front->note;
  } else {
    // What is in front of the collector's head is cleared for none but these, which is why their
    // types get no note.
    constexpr size_t kManaged = 2 * sizeof(PyObject*);
    std::memset(reinterpret_cast<char*>(memory) - in_front, 0, kManaged);
  }
  return Taken::kMemory;
}

void free_slowly(PoolRecord& pool, PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  if (!is_pooled(pool, type)) {
    PyType_IS_GC(type) ? PyObject_GC_Del(object) : PyObject_Free(object);
    return;
  }
  if (PyType_IS_GC(type)) {
    abi::Collector collector;
    abi::find_collector(collector);
    abi::hide_from_collector(collector, object);
  }
  give_slowly(pool, type, object);
}

void give_slowly(PoolRecord& pool, PyTypeObject* type, PyObject* memory) {
  if (!is_pooled(pool, type)) {
    PyObject_Free(memory);
    return;
  }
  const ptrdiff_t in_front = abi::bytes_in_front(type);
  Front* const front = find_front(pool, in_front);
  if (front != nullptr) {
    front->push(memory);
  } else {
    // Made by another interpreter.
    InterpreterHeap::release(reinterpret_cast<char*>(memory) - in_front);
  }
}

PyObject* schedule(const Front& front, PyObject* instance) {
  abi::schedule_collection(front.collector);
  return instance;
}

PoolStatistics statistics_of(const std::atomic<uint64_t>* fallbacks) {
  PoolStatistics sum;
  if (fallbacks != nullptr) sum.fallbacks = fallbacks->load(std::memory_order_relaxed);
  InterpreterHeap* const heap = InterpreterHeap::find();
  if (heap == nullptr) return sum;
  for (const Front* front = heap->fronts(); front != nullptr; front = front->next_in_heap) {
    if (fallbacks != nullptr && front->pool->fallbacks != fallbacks) continue;
    const size_t retained = front->retained();
    sum.live += front->outstanding() - retained;
    sum.retained += retained;
    sum.retained_bytes += retained * front->block_bytes;
    sum.high_water += front->high_water;
    sum.from_heap += front->from_heap;
    sum.to_heap += front->to_heap;
  }
  return sum;
}

size_t trim(const std::atomic<uint64_t>* fallbacks) {
  InterpreterHeap* const heap = InterpreterHeap::find();
  if (heap == nullptr) return 0;
  size_t bytes = 0;
  for (Front* front = heap->fronts(); front != nullptr; front = front->next_in_heap) {
    if (fallbacks == nullptr || front->pool->fallbacks == fallbacks) bytes += front->trim();
  }
  heap->return_pages();
  return bytes;
}

}  // namespace tenure::pool
