// Sendable<T>: a strong reference that may be moved to any thread and dropped there.
//
// Two pointers: the object, and the queue of the interpreter it belongs to. Dropped by a thread
// that is attached to that interpreter it costs an ordinary decref and the question whether it is;
// dropped anywhere else, the decref is put off (core/decref_queue.h), or what else the type's
// policy says. Moves, never copies. A moved-from Sendable is empty and may only be destroyed or
// assigned to.
//
//   Sendable<> kept = ...;                        // made attached
//   std::thread worker([kept = std::move(kept)] {
//     ...                                         // not attached
//     if (Attach attach(kept.gate()); attach) use(kept.get(attach.token()));
//   });                                           // dropped detached: done by whoever attaches
//   next
//
// Not for: references that never leave attached threads (Owned costs half), or that several
// threads share (handles/shared.h).
//
// Thread safety: as a pointer. Moving and dropping on any thread, also after the interpreter's end;
// one thread at a time.
#ifndef TENURE_HANDLES_SENDABLE_H_
#define TENURE_HANDLES_SENDABLE_H_

#include <cassert>
#include <optional>
#include <utility>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/borrowed.h"
#include "tenure/handles/owned.h"

namespace tenure {

template <typename T = Object, WhenDetached kPolicy = WhenDetached::kDefer>
class [[nodiscard]] Sendable {
 public:
  // Takes a reference over: steals, also when it fails. Nothing, with a Python error set, if the
  // interpreter's queue cannot be made, which can only be the first time. Requires: attached.
  static std::optional<Sendable> make(Owned<T>&& owner) {
    Owned<T> object = std::move(owner);
    DecrefQueue* queue = DecrefQueue::current();
    if (queue == nullptr) return std::nullopt;
    return Sendable(std::move(object), *queue);
  }

  // The same where the queue is at hand. Requires: attached to the queue's interpreter.
  Sendable(Owned<T>&& owner, DecrefQueue& queue)
      : object_(std::move(owner).release()), queue_(&queue) {
    assert(queue.may_be_used_here());
  }

  Sendable(Sendable&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), queue_(other.queue_) {}

  Sendable& operator=(Sendable&& other) noexcept {
    // The old object goes last: its destructor may run code that looks at this handle.
    PyObject* old = std::exchange(object_, std::exchange(other.object_, nullptr));
    DecrefQueue* old_queue = std::exchange(queue_, other.queue_);
    if (old != nullptr) old_queue->drop(old, kPolicy);
    return *this;
  }

  Sendable(const Sendable&) = delete;
  Sendable& operator=(const Sendable&) = delete;

// In a std::optional, GCC cannot tell that an empty one is not destroyed.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
  ~Sendable() {
    if (object_ != nullptr) queue_->drop(object_, kPolicy);
  }
#pragma GCC diagnostic pop

  // Borrows, for as long as this is neither moved nor dropped. Requires: attached to the object's
  // interpreter; not moved from.
  Borrowed<T> get(Attached) const& {
    assert(queue_->may_be_used_here());
    return Borrowed<T>(object_);
  }
  Borrowed<T> get(Attached) && = delete;

  // Ends the deferral: an Owned is dropped attached. Requires: as get().
  Owned<T> into_owned(Attached) && {
    assert(queue_->may_be_used_here());
    return Owned<T>::steal(std::exchange(object_, nullptr));
  }

  // What to attach to, to use it. Thread state: any.
  Gate& gate() const { return queue_->gate(); }
  DecrefQueue& queue() const { return *queue_; }

 private:
  PyObject* object_;
  DecrefQueue* queue_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_SENDABLE_H_
