// The lanes that this thread owns, found without a lock, and given back when it ends.
//
// Trivially destructible, so that it can be used for as long as the thread runs any code: a lane
// taken after the thread's destructors have run once is given back when they run again.
//
// Thread safety: each thread has its own.
#ifndef TENURE_CORE_THREAD_LANES_H_
#define TENURE_CORE_THREAD_LANES_H_

#include <cstdint>

#include "tenure/core/lane.h"

namespace tenure {

// The owner of a lane that a drain is stripping.
inline constexpr uintptr_t kConsumer = 1;

// A drain that is going on further up a thread's stack.
struct DrainOnStack {
  const DecrefQueue* queue;
  const DrainOnStack* outer;
};

struct ThreadLanes {
  // The one pushed to last, or null.
  Lane* recent;
  // All of them, by next_of_thread.
  Lane* owned;
  // The innermost drain on this thread's stack, or null.
  const DrainOnStack* drains;

  // No other living thread has it.
  uintptr_t id() const { return reinterpret_cast<uintptr_t>(this); }

  bool is_draining(const DecrefQueue* queue) const {
    for (const DrainOnStack* drain = drains; drain != nullptr; drain = drain->outer) {
      if (drain->queue == queue) return true;
    }
    return false;
  }

  // The lane for that queue, or null. Gives lanes of queues back that are finished.
  Lane* find(const DecrefQueue* queue);

  void add(Lane* lane);

  // Gives all of them back.
  void give_back();
};

extern constinit thread_local ThreadLanes thread_lanes;

// Makes what runs when threads end. Done before the first lane is made.
void thread_lanes_setup();

}  // namespace tenure

#endif  // TENURE_CORE_THREAD_LANES_H_
