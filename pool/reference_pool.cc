#include "tenure/pool/reference_pool.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <utility>

#include "tenure/core/abi/drop.h"
#include "tenure/core/decref.h"
#include "tenure/core/decref_queue.h"
#include "tenure/pool/chunks.h"

namespace tenure::pool {

struct ReferencePool::Chunk {
  Chunk* older;
  size_t size;  // in bytes
  size_t below_older;

  PyObject** begin() { return reinterpret_cast<PyObject**>(this + 1); }
  PyObject** end() { return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(this) + size); }
};

namespace {

constexpr size_t kLargestChunk = size_t{256} << 10;

#ifdef NDEBUG
constexpr bool kWarns = false;
#else
constexpr bool kWarns = true;
#endif

constinit thread_local ReferencePool* innermost = nullptr;

// Counts, each of its own: relaxed.
std::atomic<uint64_t> high_water{0};
std::atomic<uint64_t> grown{0};
std::atomic<uint64_t> overgrown{0};
std::atomic<uint64_t> detached_count{0};

void raise_high_water(uint64_t size) noexcept {
  uint64_t before = high_water.load(std::memory_order_relaxed);
  while (size > before &&
         !high_water.compare_exchange_weak(before, size, std::memory_order_relaxed)) {
  }
}

PyInterpreterState* attached_interpreter() noexcept {
  assert(is_attached());
  return abi::interpreter_of(abi::current_state());
}

DecrefQueue* queue_of(const PyInterpreterState* interpreter) noexcept {
  for (DecrefQueue* queue = DecrefQueue::newest(); queue != nullptr; queue = queue->next()) {
    if (queue->gate().interpreter() == interpreter && !queue->is_finished()) return queue;
  }
  return nullptr;
}

}  // namespace

ReferencePool::ReferencePool(std::source_location where) noexcept
    : interpreter_(attached_interpreter()), outer_(std::exchange(innermost, this)), where_(where) {}

ReferencePool::~ReferencePool() {
  raise_high_water(size());
  leave_stack();
  if (is_attached_to(interpreter_)) [[likely]] {
    drain();
  } else {
    // Python 3.13 unwinds the stacks of threads that it ends.
    assert((Py_IsFinalizing() != 0 || Py_IsInitialized() == 0) &&
           "a ReferencePool ends where its interpreter is attached");
    drop_detached();
  }
}

void ReferencePool::leave_stack() noexcept {
  assert(innermost == this);
  ReferencePool** link = &innermost;
  while (*link != nullptr && *link != this) link = &(*link)->outer_;
  if (*link == this) *link = outer_;
}

ReferencePool* ReferencePool::current() noexcept {
  const PyInterpreterState* const interpreter = attached_interpreter();
  ReferencePool* pool = innermost;
  while (pool != nullptr && pool->interpreter_ != interpreter) pool = pool->outer_;
  return pool;
}

PyObject* ReferencePool::keep_slowly(PyObject* object) {
  if (!grow()) {
    Py_DECREF(object);
    return PyErr_NoMemory();
  }
  *next_++ = object;
  if (size() >= noted_at_) note_growth();
  return object;
}

void ReferencePool::keep_or_end(PyObject* object) {
  if (keep(object) == nullptr) Py_FatalError("no memory for a ReferencePool to keep an Owned in");
}

bool ReferencePool::grow() noexcept {
  const size_t bytes =
      chunks_ == nullptr ? internal::kSmallChunk : std::min(2 * chunks_->size, kLargestChunk);
  auto* const chunk = static_cast<Chunk*>(internal::take_chunk(bytes));
  if (chunk == nullptr) return false;
  if (chunks_ == nullptr) grown.fetch_add(1, std::memory_order_relaxed);
  *chunk = {chunks_, bytes, below_};
  below_ = size();
  chunks_ = chunk;
  next_ = begin_ = chunk->begin();
  end_ = chunk->end();
  raise_high_water(below_ + 1);
  return true;
}

// The newest chunk is no longer the pool's, nor are the references in it; null for room_. What is
// left has no room.
ReferencePool::Chunk* ReferencePool::take_newest() noexcept {
  Chunk* const taken = chunks_;
  if (taken == nullptr) {
    next_ = end_ = room_end_ = room_;
    return nullptr;
  }
  chunks_ = taken->older;
  below_ = taken->below_older;
  begin_ = chunks_ == nullptr ? room_ : chunks_->begin();
  next_ = end_ = chunks_ == nullptr ? room_end_ : chunks_->end();
  return taken;
}

void ReferencePool::note_growth() {
  if (noted_at_ == kOvergrown) overgrown.fetch_add(1, std::memory_order_relaxed);
  noted_at_ = 2 * size();
  if constexpr (kWarns) {
    if (PyErr_Occurred() != nullptr) return;
    const char* const slash = std::strrchr(where_.file_name(), '/');
    const char* const file = slash == nullptr ? where_.file_name() : slash + 1;
    // Warnings may be errors, and keep() is not there to raise them.
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1,
                         "the ReferencePool of %s:%u holds %zu references and drops none of them "
                         "before it ends: own what a loop makes by its turn, with an Owned or a "
                         "pool of the turn",
                         file, static_cast<unsigned>(where_.line()), size()) < 0) {
      PyErr_WriteUnraisable(nullptr);
    }
  }
}

void ReferencePool::drain() {
  if (size() == 0) return;
  PyThreadState* const state = abi::current_state();
  PyObject* const error = abi::has_error(state) ? PyErr_GetRaisedException() : nullptr;
  // What destructors keep here meanwhile goes into new chunks, so that no drop has to look.
  while (size() > 0) {
    PyObject* const* const begin = begin_;
    PyObject* const* next = next_;
    Chunk* const chunk = take_newest();
    if (abi::ends_are_traced()) {
      while (next != begin) decref_reporting(*--next, state);
    } else {
      while (next != begin) {
        if (abi::decref_untraced(*--next) && abi::has_error(state)) [[unlikely]] {
          PyErr_WriteUnraisable(nullptr);
        }
      }
    }
    if (chunk != nullptr) internal::give_chunk_back(chunk, chunk->size);
  }
  if (error != nullptr) PyErr_SetRaisedException(error);
}

void ReferencePool::drop_detached() noexcept {
  detached_count.fetch_add(size(), std::memory_order_relaxed);
  DecrefQueue* const queue = queue_of(interpreter_);
  while (size() > 0) {
    PyObject* const* const begin = begin_;
    PyObject* const* next = next_;
    Chunk* const chunk = take_newest();
    while (queue != nullptr && next != begin) queue->defer(*--next);
    if (chunk != nullptr) internal::give_chunk_back(chunk, chunk->size);
  }
}

ReferencePool::Statistics ReferencePool::statistics() noexcept {
  return {high_water.load(std::memory_order_relaxed), grown.load(std::memory_order_relaxed),
          overgrown.load(std::memory_order_relaxed),
          detached_count.load(std::memory_order_relaxed)};
}

}  // namespace tenure::pool
