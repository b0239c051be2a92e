// Dismantler: containers that are taken apart a little at a time.
//
// Holds the containers that were dropped and not yet emptied. Each step takes one reference out of
// the newest and drops it; if what is dropped is itself a container that nobody else holds, it is
// not dropped but becomes the newest. Of any other object that nobody else holds, an instance of a
// class say, what it alone holds is kept until it is gone, and then dropped in the same way. So no
// destructor ever has more than one object's own work to do, and nesting costs neither C stack nor,
// in a chain, memory.
//
// Not for: containers that anybody else refers to (core/abi/containers.h says which can be used).
//
// Thread safety: attached, to the one interpreter whose objects they are. Steps of several threads
// may mix: between two steps everything is consistent, and no reference is in two hands.
#ifndef TENURE_CORE_DISMANTLER_H_
#define TENURE_CORE_DISMANTLER_H_

#include <atomic>
#include <cstddef>

#include "tenure/core/abi/containers.h"
#include "tenure/core/abi/thread.h"
#include "tenure/core/deadline.h"

namespace tenure {

class Dismantler {
 public:
  Dismantler() = default;
  Dismantler(const Dismantler&) = delete;
  Dismantler& operator=(const Dismantler&) = delete;

  // Steals if it is a container that can be taken apart and there is memory to remember it. True if
  // it did.
  bool try_add(PyObject* object);

  // The same, of anything that may refer to others and that nobody else holds.
  bool try_add_any(PyObject* object);

  // Works until the deadline or the end. True if there is nothing left.
  bool work(Deadline& deadline);

  // Thread state: any.
  size_t size() const {
    return size_.load(std::memory_order_relaxed) + other_size_.load(std::memory_order_relaxed);
  }

  void reset_after_fork() { lock_.reset_after_fork(); }

 private:
  struct Taken {
    PyObject* object;  // null: memory was given back instead
    bool is_emptied;   // the container itself
  };

  bool try_add_other(PyObject* object);
  // Requires: lock_ held. Null and not emptied if there is nothing, or memory was given back.
  Taken next();
  // Requires: abi::may_be_container().
  void drop(PyObject* object, PyThreadState* state);

  abi::AttachedLock lock_;  // guards the arrays
  abi::OpenContainer* open_ = nullptr;
  // Written under lock_; relaxed: others only report it.
  std::atomic<size_t> size_{0};
  size_t capacity_ = 0;
  // What is no container. Goes before the containers, or it would pile up behind a big one.
  PyObject** others_ = nullptr;
  std::atomic<size_t> other_size_{0};
  size_t other_capacity_ = 0;
};

}  // namespace tenure

#endif  // TENURE_CORE_DISMANTLER_H_
