// Reaper: the thread that sees to it that deferred decrefs are done when nobody comes by to do
// them.
//
// Each queue has one, so that an interpreter whose GIL is held, or whose destructors block, holds
// up no other. It sleeps for as long as its queue is down. Woken by the first push, it looks after
// a quarter of the bound: if there are decrefs to do, it asks the main interpreter to do them with
// a pending call, which runs between two bytecodes of the main thread; if that is not taken up
// because the main thread is in C code, or if the interpreter is another one, it attaches and
// drains. When the lanes stay empty it lowers the signal and sleeps again.
//
// A producer that fills a chunk hurries it, at most once a millisecond, so that memory does not
// grow for the rest of the bound.
//
// Going to sleep: it says that it sleeps, *then* looks at the signal once more. A producer raises
// the signal, *then* looks whether it sleeps. One of the two sees the other.
//
// The thread is started by the first push that finds none: a program in which nothing is ever
// deferred has no thread more, and forks as one without. It ends with the interpreter.
//
// Not for: anything but DecrefQueue.
#ifndef TENURE_CORE_REAPER_H_
#define TENURE_CORE_REAPER_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "tenure/core/gate.h"

namespace tenure {

class DecrefQueue;

class Reaper {
 public:
  explicit Reaper(DecrefQueue& queue) : queue_(queue) {}
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // The signal was raised. Starts the thread if there is none. Thread state: any.
  void wake();

  // There is more than can wait. Cuts a wait short. Thread state: any.
  void hurry();

  // Starts the thread if there is none, or if an earlier start failed. Thread state: any.
  void ensure_running();

  // Starts the thread if the last attempt failed. Thread state: any.
  void try_again() {
    if (has_failed_.load(std::memory_order_relaxed)) ensure_running();
  }

  // The queue is finished: ends the thread.
  void end();

  // For all queues. Who waits now goes by the new one.
  static void set_bound(std::chrono::nanoseconds bound);
  static std::chrono::nanoseconds bound();

  // In the child of a fork: the thread is not there.
  void reset_after_fork();
  // Once for each fork, before the others.
  static void count_fork();

 private:
  static void* run(void* reaper);
  static int pending_call(void* reaper);

  void loop();
  std::chrono::nanoseconds service();
  bool request_pending_call();
  void sleep();
  // At most a quarter of the bound, whatever becomes of that meanwhile.
  void wait(std::chrono::nanoseconds most);
  void bound_has_changed();

  DecrefQueue& queue_;
  // Compare-exchanged by who starts the thread.
  std::atomic<bool> is_running_{false};
  // It could not be started, and nothing will wake it while the signal stays up.
  std::atomic<bool> has_failed_{false};
  // Partner: the queue's signal; see above. Sequentially consistent.
  std::atomic<uint32_t> is_asleep_{0};
  // Why a wait is cut short. Cleared by the thread when it has seen it.
  static constexpr uint32_t kNothing = 0;
  static constexpr uint32_t kHurried = 1;
  static constexpr uint32_t kOtherBound = 2;
  std::atomic<uint32_t> news_{kNothing};
  // What has become of the last pending call. The thread posts it; the call says that it has run,
  // or that it could not drain because it ran inside a drain, in a destructor that may take for
  // ever.
  enum class Call : uint8_t { kNone, kPosted, kRefused };
  std::atomic<Call> call_{Call::kNone};
  // The thread's own; on the steady clock, in ns.
  int64_t call_posted_at_ = 0;
};

}  // namespace tenure

#endif  // TENURE_CORE_REAPER_H_
