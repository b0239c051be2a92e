#include "tenure/core/thread_lanes.h"

#include <pthread.h>

#include "tenure/core/decref_queue.h"

namespace tenure {

constinit thread_local ThreadLanes thread_lanes{};

namespace {

// Its value is set in threads that own lanes, to have its destructor called.
pthread_key_t exit_key;
bool has_exit_key = false;

void at_thread_exit(void* lanes) { static_cast<ThreadLanes*>(lanes)->give_back(); }

void give_back_one(Lane* lane) {
  // Nobody takes from it any more, and no thread will push to it.
  if (lane->queue()->is_finished()) lane->strip();
  lane->next_of_thread = nullptr;
  lane->disown();
}

}  // namespace

void thread_lanes_setup() {
  // Without a key, lanes of ended threads are drained as all are, and not used again.
  if (!has_exit_key) has_exit_key = pthread_key_create(&exit_key, &at_thread_exit) == 0;
}

Lane* ThreadLanes::find(const DecrefQueue* queue) {
  for (Lane** link = &owned; *link != nullptr;) {
    Lane* lane = *link;
    if (lane->queue() == queue) return lane;
    if (lane->queue()->is_finished()) {
      *link = lane->next_of_thread;
      if (recent == lane) recent = nullptr;
      give_back_one(lane);
    } else {
      link = &lane->next_of_thread;
    }
  }
  return nullptr;
}

void ThreadLanes::add(Lane* lane) {
  lane->next_of_thread = owned;
  owned = lane;
  if (has_exit_key) pthread_setspecific(exit_key, this);
}

void ThreadLanes::give_back() {
  recent = nullptr;
  while (owned != nullptr) {
    Lane* lane = owned;
    owned = lane->next_of_thread;
    give_back_one(lane);
  }
}

}  // namespace tenure
