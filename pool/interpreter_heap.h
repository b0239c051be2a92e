// What the instance pools of a module have in one interpreter: a mimalloc heap, and the list of
// their fronts (instance_front.h).
//
// Made when the first instance is, and never freed: an interpreter that is made at the address of
// one that ended uses what that one left. While its interpreter ends, as late as CPython lets
// extensions know of it, the fronts give back what they kept and the heap is dissolved: blocks that
// are in use live on. Instances do die later than that, and may even be made; what they need then
// comes from mimalloc directly and goes back to it.
//
// Not for: anything but instance pools.
//
// Thread safety: attached to its interpreter, whose GIL guards all that is in it, except where a
// function says otherwise.
#ifndef TENURE_POOL_INTERPRETER_HEAP_H_
#define TENURE_POOL_INTERPRETER_HEAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/python.h"
#include "tenure/pool/mimalloc.h"

namespace tenure::pool {

struct Front;

class InterpreterHeap {
 public:
  // That of the current interpreter, which is made ready; null with MemoryError set.
  static InterpreterHeap* current();
  // The same if it is there and ready, or was until this interpreter began to end; else null.
  static InterpreterHeap* find();

  InterpreterHeap(const InterpreterHeap&) = delete;
  InterpreterHeap& operator=(const InterpreterHeap&) = delete;

  // Whether it is that interpreter's, or was that of one at the same address. Thread state:
  // attached to any.
  bool is_at(const PyInterpreterState* interpreter) const { return interpreter_ == interpreter; }

  // For an interpreter that has come to the address of another. False with MemoryError set.
  [[nodiscard]] bool make_ready();

  // Whether the interpreter is about to go: nothing is kept any more.
  bool is_ended() const { return is_ended_; }

  // Null if there is no memory, without an error set.
  void* allocate(size_t size);
  // Of no interpreter's heap; the same of failing.
  static void* allocate_lasting(size_t size, size_t alignment);
  // A block of any of them.
  static void release(void* block);

  // Gives the pages that are free back to the system.
  void return_pages();

  Front* fronts() const { return fronts_; }
  void add(Front& front);

 private:
  explicit InterpreterHeap(PyInterpreterState* interpreter) : interpreter_(interpreter) {}

  static InterpreterHeap* find_at(const PyInterpreterState* interpreter);
  static void end(void* heap);
  static void after_fork_in_child();

  // Whether it was made ready for this very interpreter.
  bool is_of_current() const;

  PyInterpreterState* const interpreter_;
  InterpreterHeap* next_ = nullptr;  // written before it is published, see newest_heap

  int64_t id_ = -1;    // the interpreter's, which no other has while the runtime lives
  uint32_t life_ = 0;  // of the runtime
  bool is_ended_ = true;
  mi_heap_t* heap_ = nullptr;
  Front* fronts_ = nullptr;  // linked by next_in_heap
};

}  // namespace tenure::pool

#endif  // TENURE_POOL_INTERPRETER_HEAP_H_
