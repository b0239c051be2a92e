// The memory of dropped instances, kept for the next ones: of one class, in one interpreter.
//
// A stack of addresses, bounded, in front of the interpreter's heap. An interpreter has one of
// each, not each of its threads: of those one at a time is attached, so that the GIL is a lock
// already, and what one thread drops another can use.
//
// A type whose instances come from a front has a note of it, in a field that CPython makes no use
// of; the front begins with an immortal object() to be that note. One look at it says all at once:
// the type was found to be such that its instances are of the front's size, and the front is that
// of its interpreter. Where there is no note, as in static types, which interpreters share, both
// are found out each time.
//
// Not for: users of pools. See instance_pool.h.
//
// Thread safety: attached to the front's interpreter.
#ifndef TENURE_POOL_INSTANCE_FRONT_H_
#define TENURE_POOL_INSTANCE_FRONT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/instance_memory.h"
#include "tenure/pool/poison.h"

namespace tenure::pool {

class InterpreterHeap;
struct Front;

// What is counted of a class's instances, in one interpreter. All but `live` and `retained` since
// the interpreter's first.
struct PoolStatistics {
  size_t live = 0;            // instances that are in use
  size_t retained = 0;        // dropped ones whose memory is kept for the next
  size_t retained_bytes = 0;  // of those
  size_t high_water = 0;      // the most of both at once
  uint64_t from_heap = 0;     // blocks taken from the interpreter's heap
  uint64_t to_heap = 0;       // blocks given back to it
  // Instances that CPython's allocator had to give memory for, in the whole process: of C types
  // that derive from the class, of types with other flags or sizes, or all of them where the pool
  // cannot work. Those of classes in Python that derive from it do not come by here, and are not
  // counted.
  uint64_t fallbacks = 0;
};

// Which instances a pool is for.
enum class Kind : unsigned char {
  kAny,
  kPlain,      // those that the collector does not see
  kCollected,  // and those that it does
};

// A class's pool: what it is compiled to, and its fronts.
struct PoolRecord {
  size_t object_size;
  Kind kind;
  size_t most_instances;
  size_t most_bytes;
  // The slots of types whose instances are the pool's.
  allocfunc alloc;
  freefunc free;
  // One for all pools of a C++ class, which also tells them from others'. Relaxed: a number.
  std::atomic<uint64_t>* fallbacks;

  // All of them, of all interpreters, by next_in_pool; nothing is taken out. Pushed in front of
  // with a release, which publishes the front. Partner: acquire in find_front().
  std::atomic<Front*> fronts{nullptr};
  // The one that was found last. The same order as of `fronts`.
  std::atomic<Front*> recent{nullptr};
};

struct alignas(64) Front {
  // Must be first: a type's note of this front points to it.
  PyObject note;
  // From `bottom` up to `top` are instances' addresses. All three are null when the interpreter has
  // ended: there is nothing to take then, and no room.
  PyObject** top;
  PyObject** bottom;
  PyObject** end;
  // Without `young`, instances are not the collector's.
  abi::Collector collector;
  const void* const* tracer;  // abi::tracer_place()

  PoolRecord* pool;
  InterpreterHeap* heap;
  Front* next_in_pool;
  Front* next_in_heap;
  size_t bytes_in_front;  // of an instance: see abi::bytes_in_front()
  size_t block_bytes;
  size_t high_water;
  uint64_t from_heap;
  uint64_t to_heap;

  bool is_empty() const { return top == bottom; }
  size_t retained() const { return static_cast<size_t>(top - bottom); }
  size_t outstanding() const { return static_cast<size_t>(from_heap - to_heap); }

  // Memory of an instance that is gone, with anything in it. Requires: not empty.
  PyObject* pop() {
    PyObject* const memory = *--top;
    unpoison(memory);
    return memory;
  }
  // Memory of an instance that was never started, or is gone and not the collector's any more.
  void push(PyObject* memory) {
    if (top == end) [[unlikely]] {
      spill(memory);
      return;
    }
    poison(memory);
    *top++ = memory;
  }

  // Memory from the heap; null if there is none, without an error set.
  PyObject* take_from_heap();
  // Back to the heap.
  void spill(PyObject* memory);
  // Everything that is kept, back to the heap. Answers how many bytes.
  size_t trim();
  // A place for what is to be kept, and the current interpreter's collector. False with a Python
  // error set.
  [[nodiscard]] bool open();
  // trim(), and nothing is kept from now on.
  void close();
  // The same without giving back.
  void forget();

  // To AddressSanitizer, use of memory that is kept is an error.
  char* block_of(PyObject* memory) const {
    return reinterpret_cast<char*>(memory) - bytes_in_front;
  }
  void poison(PyObject* memory) const { internal::poison(block_of(memory), block_bytes); }
  void unpoison(PyObject* memory) const { internal::unpoison(block_of(memory), block_bytes); }
};

// The front that the type has a note of, or null.
inline Front* noted_front(PyTypeObject* type) {
  return reinterpret_cast<Front*>(abi::note_of(type));
}

// Whether instances of a type are a pool's: that depends on nothing but the type and the process,
// so that who frees an instance knows what who made it did.
bool is_pooled(const PoolRecord& pool, const PyTypeObject* type);

enum class Taken : unsigned char {
  kMemory,
  kNotPooled,  // CPython's allocator has to do
  kError,      // a Python error is set
};

// Memory of an instance of a type that may have no note of a front, or of one that is empty. Makes
// the front, and the note.
Taken take_slowly(PoolRecord& pool, PyTypeObject* type, Front*& front, PyObject*& memory);

// What tp_free does for a type without a note.
void free_slowly(PoolRecord& pool, PyObject* object);

// Gives memory back that no object was started in, of a type without a note.
void give_slowly(PoolRecord& pool, PyTypeObject* type, PyObject* memory);

// Has the collector run soon, and answers the instance.
PyObject* schedule(const Front& front, PyObject* instance);

// In the current interpreter: of all pools with that counter, or, if it is null, of all there are.
PoolStatistics statistics_of(const std::atomic<uint64_t>* fallbacks);
size_t trim(const std::atomic<uint64_t>* fallbacks);

}  // namespace tenure::pool

#endif  // TENURE_POOL_INSTANCE_FRONT_H_
