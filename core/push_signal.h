// PushSignal: how those who push tell those who drain that there is something.
//
// The whole protocol. A producer publishes its item in its lane, *then* looks at the signal: if it
// is up, all is said; if it is down, the producer raises it and wakes the reaper. Consumers ask
// is_up(), one relaxed load, and take what is in the lanes; they leave the signal up. Only the
// reaper lowers it (and a child that was just forked, alone), when all lanes are empty: it lowers,
// *then* looks at all lanes again, and raises it itself if it finds something.
//
//   producer                     reaper
//   1 lane.tail = n + 1          a signal: up -> down
//   2 look at the signal         b look at the tails
//
// With both in this order either 2 sees "down" or b sees the item, so no item stays behind with the
// signal down. What makes the order hold between 1 and 2 is the cheap side of core/asymmetric.h,
// and the dear side stands between a and b. Where the system lacks that, 2 is a read-modify-write:
// if it comes before a in the order of the signal's changes, a sees what 1 published; if after, 2
// sees "down". tests/model checks all of it, and that it breaks when an order is turned round.
//
// Lowering costs a system call that disturbs the other cores, so it is not done by each drain but
// once for each time that the queue falls idle.
//
// Closing is for ever: close(), then a last look at the lanes. A producer that does not see
// "closed" has published before that look.
#ifndef TENURE_CORE_PUSH_SIGNAL_H_
#define TENURE_CORE_PUSH_SIGNAL_H_

#include <atomic>
#include <cstdint>

#include "tenure/core/asymmetric.h"

namespace tenure {

class PushSignal {
 public:
  // One relaxed load: the check on the hot path. What it announces is ordered by the lanes.
  bool is_up() const { return state_.load(std::memory_order_relaxed) == kUp; }

  // The same for the reaper, which must not miss what was raised before it said that it sleeps.
  bool is_up_ordered() const { return state_.load() == kUp; }

  // Requires: the item is published. True if the caller has to wake the reaper.
  bool raise_after_publishing() {
    if (is_asymmetric()) {
      asymmetric_light();
      // Partner: the exchange in try_lower() and close(), by way of asymmetric_heavy().
      if (state_.load(std::memory_order_relaxed) != kDown) return false;
    } else if (state_.fetch_or(0, std::memory_order_acq_rel) != kDown) {
      // Partner: the same, which acquires what this release carries.
      return false;
    }
    return raise();
  }

  // True if it was down. Sequentially consistent for the reaper's going to sleep (core/reaper.h).
  bool raise() {
    uint32_t down = kDown;
    return state_.compare_exchange_strong(down, kUp);
  }

  // For the reaper. True if it was up; the caller must look at all lanes after this, and raise()
  // again if one is not empty.
  bool try_lower() {
    uint32_t up = kUp;
    if (!state_.compare_exchange_strong(up, kDown, std::memory_order_acq_rel)) return false;
    if (asymmetric_heavy()) return true;
    // Up for ever, then: right, if not cheap.
    raise();
    return false;
  }

  // In the child of a fork, where nobody else is.
  void lower_after_fork() {
    if (is_up()) state_.store(kDown, std::memory_order_relaxed);
  }

  // Requires: the caller looks at all lanes after this.
  void close() {
    state_.exchange(kClosed, std::memory_order_acq_rel);
    // Where it fails, what was pushed in this very moment is leaked, and counted.
    [[maybe_unused]] const bool ordered = asymmetric_heavy();
  }

 private:
  static constexpr uint32_t kDown = 0;
  static constexpr uint32_t kUp = 1;
  static constexpr uint32_t kClosed = 2;

  std::atomic<uint32_t> state_{kDown};
};

}  // namespace tenure

#endif  // TENURE_CORE_PUSH_SIGNAL_H_
