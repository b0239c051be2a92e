// Shared<T>: a strong reference that several threads hold together, attached or not.
//
// Two pointers: the object, and a count of the Shared that there are of it. Copying and dropping
// change that count, never Python's; the last one to go drops the object as a Sendable does.
// Increfs are never put off: whoever wants a Python reference of its own attaches and asks for one.
//
// Not for: one holder at a time (Sendable needs no memory of its own), or Python references to be
// handed to Python code (new_ref()).
//
// Thread safety: as std::shared_ptr. Different Shared of one object may be used by different
// threads at once; one Shared by one thread at a time. Dropping on any thread, also after the
// interpreter's end.
#ifndef TENURE_HANDLES_SHARED_H_
#define TENURE_HANDLES_SHARED_H_

#include <atomic>
#include <cassert>
#include <cstddef>
#include <new>
#include <optional>
#include <utility>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/borrowed.h"
#include "tenure/handles/owned.h"

namespace tenure {

template <typename T = Object, WhenDetached kPolicy = WhenDetached::kDefer>
class [[nodiscard]] Shared {
 public:
  // Takes a reference over: steals, also when it fails. Nothing, with a Python error set, if there
  // is no memory for the count or the interpreter's queue. Requires: attached.
  static std::optional<Shared> make(Owned<T>&& owner) {
    Owned<T> object = std::move(owner);
    DecrefQueue* queue = DecrefQueue::current();
    if (queue == nullptr) return std::nullopt;
    auto* holders = new (std::nothrow) Holders(*queue);
    if (holders == nullptr) {
      PyErr_NoMemory();
      return std::nullopt;
    }
    return Shared(std::move(object).release(), holders);
  }

  Shared(const Shared& other) noexcept : object_(other.object_), holders_(other.holders_) {
    // Relaxed: the holder that is copied from keeps the count above zero.
    if (holders_ != nullptr) holders_->count.fetch_add(1, std::memory_order_relaxed);
  }
  Shared(Shared&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)),
        holders_(std::exchange(other.holders_, nullptr)) {}

  // The old object goes last: its destructor may run code that looks at this handle.
  Shared& operator=(Shared other) noexcept {
    std::swap(object_, other.object_);
    std::swap(holders_, other.holders_);
    return *this;
  }

  ~Shared() {
    // Release: what this holder did with the object. Acquire, by the last: what all others did.
    if (holders_ == nullptr || holders_->count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    DecrefQueue& queue = holders_->queue;
    delete holders_;
    queue.drop(object_, kPolicy);
  }

  // Borrows, for as long as this is neither moved nor dropped. Requires: attached to the object's
  // interpreter; not moved from.
  Borrowed<T> get(Attached) const& {
    assert(queue().may_be_used_here());
    return Borrowed<T>(object_);
  }
  Borrowed<T> get(Attached) && = delete;

  // A Python reference. Requires: as get().
  Owned<T> new_ref(Attached attached) const { return get(attached).new_ref(); }

  // What to attach to, to use it. Requires: not moved from. Thread state: any.
  Gate& gate() const { return holders_->queue.gate(); }
  DecrefQueue& queue() const { return holders_->queue; }

  // How many Shared there are of it; more may be made or dropped meanwhile. Requires: as gate().
  size_t holders() const { return holders_->count.load(std::memory_order_relaxed); }

 private:
  struct Holders {
    explicit Holders(DecrefQueue& owner) : queue(owner) {}
    std::atomic<size_t> count{1};
    DecrefQueue& queue;
  };

  Shared(PyObject* object, Holders* holders) : object_(object), holders_(holders) {}

  PyObject* object_;
  Holders* holders_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_SHARED_H_
