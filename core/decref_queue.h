// DecrefQueue: decrefs put off until a thread is attached to the interpreter that owns the object.
//
// One queue for each interpreter. Any thread may defer a decref: attached or not, of another
// interpreter, after the interpreter's end. That never blocks, takes no lock of ours and not the
// GIL, and allocates once in 2,000 times at most; the first deferral of a process starts the
// reaper's thread. The decrefs are done, each once, by threads attached to the interpreter:
//
// - by drain(), which whoever attaches may call, and DrainingAttach does;
// - by a pending call, if the main interpreter runs Python code;
// - by the reaper, which attaches for it when neither comes in time (core/reaper.h).
//
// What the interpreter's end leaves undone is counted as leaked, never done unsafely.
//
// Not for: references that are dropped attached (handles/owned.h), or increfs: those are never put
// off. A new reference can only be made attached.
//
// Invariant, whenever no drain is going on: pushed = drained + pending + leaked.
//
// Fork: the child has what was pending in its own copy of the objects, and drains it; queues of
// other interpreters, which a forked child loses, are closed there. Exit: atexit functions drain,
// then nobody enters the interpreter for us any more; a last drain follows when all modules are
// gone, and what is pushed after that is leaked. Queues are never freed: a thread may hold a
// Sendable for longer than the interpreter lives.
//
// Where it is linked into several extension modules, each copy has queues and reapers of its own,
// and each queue is listed in its interpreter (kQueuesKey), so that tenure.deferred sees them all.
// Modules that want to share one use the C functions of tenure_deferred.h through the package.
//
// Thread safety: each function says what it asks of the thread.
#ifndef TENURE_CORE_DECREF_QUEUE_H_
#define TENURE_CORE_DECREF_QUEUE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "tenure/core/abi/thread.h"
#include "tenure/core/attach.h"
#include "tenure/core/dismantler.h"
#include "tenure/core/gate.h"
#include "tenure/core/lane.h"
#include "tenure/core/push_signal.h"
#include "tenure/core/reaper.h"

namespace tenure {

// How much one drain may do. It ends at the first limit it reaches; one decref, with whatever its
// destructor does, is never interrupted.
struct Budget {
  size_t objects = std::numeric_limits<size_t>::max();
  std::chrono::nanoseconds time = std::chrono::milliseconds(1);
};

struct Drained {
  size_t objects = 0;
  bool more = false;  // the budget ended first, or another drain has the rest
};

// One moment's counts, since the queue was made. Times in nanoseconds.
struct DeferStats {
  uint64_t pushed = 0;      // deferred, and dropped detached under the policy to leak
  uint64_t drained = 0;     // done by drains, or being done
  uint64_t leaked = 0;      // never done: by policy, for want of memory, or after the end
  uint64_t pending = 0;     // still to do
  uint64_t high_water = 0;  // the most that were pending when a drain began
  uint64_t drains = 0;      // that found something
  uint64_t longest_drain_ns = 0;
  uint64_t pending_calls = 0;  // drains by the interpreter's pending calls
  uint64_t reaper_drains = 0;  // drains for which the reaper had to attach
  uint64_t dismantling = 0;    // objects that are being taken apart, or will be when unused
  uint64_t lanes = 0;          // the most threads that have pushed at a time
};

// What becomes of a reference that is dropped where its interpreter is not attached.
enum class WhenDetached : uint8_t {
  kDefer,
  kLeak,   // counted
  kAbort,  // ends the process with a message
  kBlock,  // attaches first: waits for the GIL
};

class DecrefQueue {
 public:
  // In the dict of each interpreter: a list of capsules, each of this name, holding a queue, with
  // its table of functions (tenure_deferred_api) as context.
  static constexpr const char* kQueuesKey = "tenure.deferred.queues";
  static constexpr const char* kCapsuleName = "tenure.deferred.queue";

  // The queue of an interpreter, made at its first use. Never freed. Null with a Python error set
  // if it cannot be made. Requires: attached to that interpreter.
  static DecrefQueue* of(PyInterpreterState* interpreter);

  // of() the interpreter this thread is attached to.
  static DecrefQueue* current();

  // The main interpreter's, or null if it has none yet. Thread state: any.
  static DecrefQueue* main();

  // For references dropped detached before there was a main queue: each is leaked, and the main
  // queue's stats() say so once there is one. Thread state: any.
  static void count_lost_without_queue();

  // All there are, the newest first. Thread state: any.
  static DecrefQueue* newest();
  DecrefQueue* next() const { return next_; }

  DecrefQueue(const DecrefQueue&) = delete;
  DecrefQueue& operator=(const DecrefQueue&) = delete;

  // Puts off a decref. Steals the reference. Never fails: what cannot be kept is counted as leaked.
  // Requires: the object belongs to this queue's interpreter. Thread state: any.
  void defer(PyObject* object) noexcept;

  // Drops a reference: a decref where this thread is attached to the interpreter, else as the
  // policy says. Steals. Requires and thread state: as defer().
  void drop(PyObject* object, WhenDetached policy = WhenDetached::kDefer) noexcept {
    if (gate_.is_attached()) [[likely]] {
      Py_DECREF(object);
    } else if (policy == WhenDetached::kDefer) {
      defer(object);
    } else {
      drop_detached(object, policy);
    }
  }

  // Whether there may be something to drain: one relaxed load. Stays true for a while after the
  // last item was taken. Thread state: any.
  bool has_pending() const { return signal_.is_up(); }

  // Whether there may be something to drain is asked first; flush() does not ask, and so also finds
  // what the reaper has its eye on in that very moment.
  //
  // Does deferred decrefs, the oldest of each thread first, then goes on taking apart what
  // release_incrementally() was given. Destructors may do anything: push, drain (which does
  // nothing inside a drain), raise (reported as unraisable), let other threads run, fork. A Python
  // error that is set before is set after. Requires: attached to the interpreter.
  Drained drain(Budget budget = {}) { return has_pending() ? drain_now(budget) : Drained{}; }

  // Drains until everything is done that was pushed before, and what those destructors pushed; ends
  // after kFlushRounds of that. Answers how many decrefs it did. Requires: as drain().
  size_t flush();
  static constexpr int kFlushRounds = 64;

  // Drops a reference to a list, tuple, dict or set that nobody else holds by taking it apart, and
  // what it alone holds in turn, within the budgets of drains; anything else is dropped at once.
  // Steals. Requires: attached to the interpreter. Errors: none.
  void release_incrementally(PyObject* object);

  // The same for an object that others may still refer to, of any kind: it is taken apart once they
  // do no more, however they drop their references, which then costs them nothing. If they still do
  // after `patience`, because it is part of a cycle perhaps, the reference is dropped like any
  // other; so it is at once if very many wait already, or this one does. Steals. Requires: attached
  // to the interpreter. Errors: none.
  void release_when_unused(PyObject* object, std::chrono::seconds patience = kPatience);
  static constexpr std::chrono::seconds kPatience{10};

  // Whether flush() goes on with containers that are being taken apart, in all queues: it does
  // unless told. A process that leaves without a full finalization has no need of that, and finds
  // the files in them by other ways. Thread state: any.
  static void set_flush_takes_apart(bool does);

  // Thread state: any; exact when nothing is pushed or drained meanwhile.
  DeferStats stats() const;

  // The interpreter as seen from outside.
  Gate& gate() { return gate_; }

  // Whether references of its interpreter may be used here: attached, or so late in the
  // interpreter's end that there is no telling. For asserts.
  bool may_be_used_here() const { return gate_.is_attached() || is_finished(); }

  // Whether the interpreter has ended: nothing is drained any more. Thread state: any.
  bool is_finished() const { return finished_.load(std::memory_order_acquire); }

  // How long a deferred decref waits at most for a running interpreter, for all queues; 100 ms
  // unless told, at least 1 ms. Thread state: any.
  static void set_bound(std::chrono::nanoseconds bound);
  static std::chrono::nanoseconds bound();

 private:
  friend class QueueLife;  // making, fork and end
  friend class Reaper;

  DecrefQueue() = default;

  Lane* lane_of_this_thread() noexcept;
  Lane* adopt_or_make_lane(uintptr_t owner) noexcept;
  void drop_detached(PyObject* object, WhenDetached policy) noexcept;
  PyObject* take();
  void decref_taken(PyObject* object, PyThreadState* state);
  size_t drain_lanes(Deadline& deadline);
  size_t drain_lane(Lane& lane, Deadline& deadline);
  Drained drain_now(Budget budget, bool takes_apart = true);
  // Goes on with what was given to release_when_unused() and has waited long enough by then.
  void look_at_released(std::chrono::steady_clock::time_point now);
  PyObject* take_released(size_t i, std::chrono::steady_clock::time_point now);
  bool try_add_released(PyObject* object, std::chrono::seconds patience);
  uint64_t count_pending() const;
  // Nothing is in the lanes and nothing is being taken apart, or waits for that.
  bool is_idle() const;
  // Drains for those who are not called, with a longer budget each time that the last was not
  // enough.
  void drain_in_background(std::atomic<uint64_t>& count);

  PushSignal signal_;
  std::atomic<Lane*> lanes_{nullptr};  // pushed in front of with a release, never taken out
  Gate gate_;

  // Consumers'. Written under lock_, or by whoever is attached; read by stats() from anywhere.
  alignas(64) abi::AttachedLock lock_;
  std::atomic<uint64_t> high_water_{0};
  std::atomic<uint64_t> drains_{0};
  std::atomic<uint64_t> longest_drain_ns_{0};
  std::atomic<uint64_t> pending_calls_{0};
  std::atomic<uint64_t> reaper_drains_{0};
  // What the last drain in the background left, and how many times the usual budget it had.
  std::atomic<uint64_t> background_left_{0};
  std::atomic<uint32_t> background_scale_{1};
  // Where the next drain begins, so that no lane waits for another that is never empty; null: at
  // the first.
  std::atomic<Lane*> resume_{nullptr};
  Dismantler dismantler_;
  // Given to release_when_unused(), and in use. Guarded by lock_; the size is read by others.
  struct Released {
    PyObject* object;
    std::chrono::steady_clock::time_point until;
  };
  static constexpr size_t kMostReleased = 4096;
  Released* released_ = nullptr;  // room for as many, made when first needed
  std::atomic<size_t> released_size_{0};

  // Pushes that are in no lane: each is leaked.
  std::atomic<uint64_t> lost_{0};
  // What the lanes hold will never be done. Partner: is_finished(); published after the last take.
  std::atomic<bool> finished_{false};

  Reaper reaper_{*this};

  DecrefQueue* next_ = nullptr;
  // Whether the interpreter knows of it. Written attached, by who makes the queue.
  enum class Hooks : uint8_t { kNone, kBeingMade, kThere };
  std::atomic<Hooks> hooks_{Hooks::kNone};
};

// Attach, and a drain of what others have pushed: for threads that attach often. Costs one relaxed
// load more when there is nothing.
class [[nodiscard]] DrainingAttach : public Attach {
 public:
  explicit DrainingAttach(DecrefQueue& queue) : Attach(queue.gate()) {
    if (*this) queue.drain();
  }
};

}  // namespace tenure

#endif  // TENURE_CORE_DECREF_QUEUE_H_
