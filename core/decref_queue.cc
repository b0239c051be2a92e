#include "tenure/core/decref_queue.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>

#include "tenure/core/attach.h"
#include "tenure/core/decref.h"
#include "tenure/core/thread_lanes.h"

namespace tenure {

namespace {

// Where the GIL keeps other writers away, a counter needs no locked instruction.
void add(std::atomic<uint64_t>& counter, uint64_t count) {
  if constexpr (abi::kFreeThreaded) {
    counter.fetch_add(count, std::memory_order_relaxed);
  } else {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
}

void raise_to(std::atomic<uint64_t>& most, uint64_t value) {
  uint64_t before = most.load(std::memory_order_relaxed);
  while (before < value && !most.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

// Dropping this many references at once can be seen in a program's pauses.
constexpr Py_ssize_t kWorthDismantling = 4096;

// The usual budget of a drain that nobody asked for, and how far it grows when that is too little.
constexpr std::chrono::nanoseconds kBackgroundTime = std::chrono::milliseconds(1);
constexpr uint32_t kMostBackgroundScale = 64;

// Relaxed: who flushes has set it, or does not mind.
constinit std::atomic<bool> flush_takes_apart{true};

[[noreturn]] void abort_for_detached_drop() {
  // Neither allocates nor locks: this thread may hold any lock.
  constexpr std::string_view kMessage =
      "tenure: a reference whose policy is to abort was dropped on a thread that is not attached "
      "to "
      "its interpreter; drop it attached, or give its type another policy\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  std::abort();
}

}  // namespace

void DecrefQueue::defer(PyObject* object) noexcept {
  assert(object != nullptr);
  Lane* lane = thread_lanes.recent;
  if (lane == nullptr || lane->queue() != this) [[unlikely]] {
    lane = lane_of_this_thread();
  }
  const Lane::Pushed pushed = lane != nullptr ? lane->push(object) : Lane::Pushed::kNoMemory;
  if (pushed == Lane::Pushed::kNoMemory) [[unlikely]] {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (signal_.raise_after_publishing()) [[unlikely]] {
    reaper_.wake();
  } else if (pushed == Lane::Pushed::kBehind) [[unlikely]] {
    reaper_.hurry();
  }
}

void DecrefQueue::drop_detached(PyObject* object, WhenDetached policy) noexcept {
  switch (policy) {
    case WhenDetached::kDefer:
      defer(object);
      return;
    case WhenDetached::kLeak:
      break;
    case WhenDetached::kAbort:
      abort_for_detached_drop();
    case WhenDetached::kBlock: {
      Attach attach(gate_);
      if (!attach) break;
      decref_reporting(object, PyThreadState_Get());
      return;
    }
  }
  lost_.fetch_add(1, std::memory_order_relaxed);
}

Lane* DecrefQueue::lane_of_this_thread() noexcept {
  ThreadLanes& mine = thread_lanes;
  if (is_finished()) return nullptr;
  Lane* lane = mine.find(this);
  if (lane == nullptr) {
    lane = adopt_or_make_lane(mine.id());
    if (lane != nullptr) mine.add(lane);
  }
  if (lane != nullptr) mine.recent = lane;
  return lane;
}

Lane* DecrefQueue::adopt_or_make_lane(uintptr_t owner) noexcept {
  // Partner: the release below.
  for (Lane* lane = lanes_.load(std::memory_order_acquire); lane != nullptr;
       lane = lane->next_in_queue) {
    if (!lane->try_own(owner)) continue;
    if (lane->prepare()) return lane;
    lane->disown();
    return nullptr;
  }
  void* memory = std::aligned_alloc(alignof(Lane), sizeof(Lane));
  if (memory == nullptr) return nullptr;
  auto* lane = new (memory) Lane(this, owner);
  lane->next_in_queue = lanes_.load(std::memory_order_relaxed);
  while (!lanes_.compare_exchange_weak(lane->next_in_queue, lane, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
  return lane;
}

void DecrefQueue::decref_taken(PyObject* object, PyThreadState* state) {
  const bool is_dismantled = abi::may_be_container(object) &&
                             abi::container_slots(object) >= kWorthDismantling &&
                             dismantler_.try_add(object);
  if (!is_dismantled) decref_reporting(object, state);
}

size_t DecrefQueue::drain_lane(Lane& lane, Deadline& deadline) {
  PyThreadState* const state = PyThreadState_Get();
  size_t done = 0;
  // What is pushed meanwhile waits for the next drain, or a destructor that pushes would never let
  // this one end.
  const uint64_t end = lane.pushed();
  while (lane.taken() < end && deadline.step()) {
    // Those that others hold too, which are most where a reference is dropped twice or more: each a
    // subtraction. Where other threads run meanwhile, nobody can know which those are.
    if constexpr (!abi::kFreeThreaded) {
      constexpr size_t kQuick = 8;
      const size_t run = lane.take_while(end, deadline.allowance(kQuick), &abi::try_plain_decref);
      deadline.advance(run, kQuick);
      done += run;
    }
    PyObject* object;
    {
      std::lock_guard guard(lock_);
      object = lane.take();
    }
    // Another thread drained while a destructor let it run.
    if (object == nullptr) break;
    decref_taken(object, state);
    ++done;
    // The destructor has ended the interpreter, and others the lane.
    if (is_finished()) return done;
  }
  if (lane.is_empty() && lane.has_chunk() && lane.try_own(kConsumer)) {
    std::lock_guard guard(lock_);
    if (lane.is_empty()) lane.strip();
    lane.disown();
  }
  return done;
}

size_t DecrefQueue::drain_lanes(Deadline& deadline) {
  Lane* const first = lanes_.load(std::memory_order_acquire);
  if (first == nullptr) return 0;
  Lane* const resumed = resume_.load(std::memory_order_relaxed);
  Lane* const start = resumed != nullptr ? resumed : first;
  size_t done = 0;
  Lane* lane = start;
  do {
    done += drain_lane(*lane, deadline);
    lane = lane->next_in_queue != nullptr ? lane->next_in_queue : first;
  } while (lane != start && !deadline.is_over());
  resume_.store(lane, std::memory_order_relaxed);
  return done;
}

Drained DecrefQueue::drain_now(Budget budget, bool takes_apart) {
  assert(gate_.is_attached());
  ThreadLanes& mine = thread_lanes;
  if (mine.is_draining(this)) return {0, true};
  const DrainOnStack on_stack{this, mine.drains};
  mine.drains = &on_stack;
  PyObject* const error = PyErr_GetRaisedException();

  raise_to(high_water_, count_pending());
  Deadline deadline(budget.objects, budget.time);
  Drained result;
  result.objects = drain_lanes(deadline);
  if (takes_apart && released_size_.load(std::memory_order_relaxed) > 0) {
    look_at_released(std::chrono::steady_clock::now());
  }
  const bool worked = result.objects > 0 || dismantler_.size() > 0;
  if (takes_apart && !deadline.is_over()) dismantler_.work(deadline);
  result.more = count_pending() > 0 || (takes_apart && dismantler_.size() > 0);
  // A container on its way from a lane to the dismantler is in neither, and the reaper may have
  // gone to sleep by that.
  if (result.more && signal_.raise()) reaper_.wake();
  reaper_.try_again();
  if (worked) {
    add(drains_, 1);
    raise_to(longest_drain_ns_, static_cast<uint64_t>(deadline.elapsed().count()));
  }

  if (error != nullptr) PyErr_SetRaisedException(error);
  mine.drains = on_stack.outer;
  return result;
}

size_t DecrefQueue::flush() {
  constexpr Budget kUnlimited{.time = std::chrono::hours(24 * 365)};
  size_t done = 0;
  for (int round = 0; round < kFlushRounds; ++round) {
    // Without asking: while the reaper lowers the signal and looks again, it is down for a moment
    // although something is there.
    const Drained drained =
        drain_now(kUnlimited, flush_takes_apart.load(std::memory_order_relaxed));
    done += drained.objects;
    if (!drained.more || (drained.objects == 0 && thread_lanes.is_draining(this))) break;
  }
  return done;
}

void DecrefQueue::set_flush_takes_apart(bool does) {
  flush_takes_apart.store(does, std::memory_order_relaxed);
}

void DecrefQueue::drain_in_background(std::atomic<uint64_t>& count) {
  add(count, 1);
  const uint32_t scale = background_scale_.load(std::memory_order_relaxed);
  const Drained drained = drain({.time = kBackgroundTime * scale});
  const uint64_t left = count_pending();
  const uint64_t before = background_left_.exchange(left, std::memory_order_relaxed);
  if (left == 0) {
    background_scale_.store(1, std::memory_order_relaxed);
  } else if (left >= before) {
    background_scale_.store(std::min(2 * scale, kMostBackgroundScale), std::memory_order_relaxed);
  }
  if (drained.more) reaper_.hurry();
}

void DecrefQueue::release_incrementally(PyObject* object) {
  assert(may_be_used_here());
  if (is_finished() || !dismantler_.try_add(object)) {
    Py_DECREF(object);
    return;
  }
  if (signal_.raise()) reaper_.wake();
}

bool DecrefQueue::try_add_released(PyObject* object, std::chrono::seconds patience) {
  std::lock_guard guard(lock_);
  const size_t size = released_size_.load(std::memory_order_relaxed);
  if (released_ == nullptr) {
    released_ = static_cast<Released*>(std::malloc(kMostReleased * sizeof(Released)));
  }
  if (released_ == nullptr || size == kMostReleased) return false;
  // Two references of ours would wait for each other.
  for (size_t i = 0; i < size; ++i) {
    if (released_[i].object == object) return false;
  }
  released_[size] = {object, std::chrono::steady_clock::now() + patience};
  released_size_.store(size + 1, std::memory_order_relaxed);
  return true;
}

void DecrefQueue::release_when_unused(PyObject* object, std::chrono::seconds patience) {
  assert(may_be_used_here());
  if (is_finished() || !PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_HAVE_GC) ||
      !try_add_released(object, patience)) {
    Py_DECREF(object);
    return;
  }
  if (signal_.raise()) reaper_.wake();
}

PyObject* DecrefQueue::take_released(size_t i, std::chrono::steady_clock::time_point now) {
  std::lock_guard guard(lock_);
  const size_t size = released_size_.load(std::memory_order_relaxed);
  if (i >= size) return nullptr;
  PyObject* object = released_[i].object;
  if (!abi::is_only_reference(object) && released_[i].until > now) return nullptr;
  released_[i] = released_[size - 1];
  released_size_.store(size - 1, std::memory_order_relaxed);
  return object;
}

void DecrefQueue::look_at_released(std::chrono::steady_clock::time_point now) {
  PyThreadState* const state = PyThreadState_Get();
  // The last first: what takes the place of one that goes has been looked at.
  for (size_t i = released_size_.load(std::memory_order_relaxed); i-- > 0;) {
    PyObject* object = take_released(i, now);
    if (object != nullptr && !dismantler_.try_add_any(object)) decref_reporting(object, state);
  }
}

bool DecrefQueue::is_idle() const {
  // The lanes first: a container goes from there to the dismantler.
  for (const Lane* lane = lanes_.load(std::memory_order_acquire); lane != nullptr;
       lane = lane->next_in_queue) {
    if (!lane->is_empty()) return false;
  }
  return dismantler_.size() == 0 && released_size_.load(std::memory_order_relaxed) == 0;
}

uint64_t DecrefQueue::count_pending() const {
  uint64_t pending = 0;
  for (const Lane* lane = lanes_.load(std::memory_order_acquire); lane != nullptr;
       lane = lane->next_in_queue) {
    // Taken first: it may grow meanwhile, but never past what is pushed.
    const uint64_t taken = lane->taken();
    pending += lane->pushed() - taken;
  }
  return pending;
}

DeferStats DecrefQueue::stats() const {
  DeferStats stats;
  // Before the lanes: what is finished afterwards is still pending in this answer.
  const bool finished = is_finished();
  for (const Lane* lane = lanes_.load(std::memory_order_acquire); lane != nullptr;
       lane = lane->next_in_queue) {
    const uint64_t taken = lane->taken();
    const uint64_t pushed = lane->pushed();
    stats.pushed += pushed;
    // Taken is drained, also where a fork or the interpreter's end took the thread away before its
    // decref was done.
    stats.drained += taken;
    stats.pending += pushed - taken;
    ++stats.lanes;
  }
  const uint64_t lost = lost_.load(std::memory_order_relaxed);
  stats.pushed += lost;
  stats.leaked = lost;
  if (finished) {
    stats.leaked += stats.pending;
    stats.pending = 0;
  }
  stats.high_water = high_water_.load(std::memory_order_relaxed);
  stats.drains = drains_.load(std::memory_order_relaxed);
  stats.longest_drain_ns = longest_drain_ns_.load(std::memory_order_relaxed);
  stats.pending_calls = pending_calls_.load(std::memory_order_relaxed);
  stats.reaper_drains = reaper_drains_.load(std::memory_order_relaxed);
  stats.dismantling = dismantler_.size() + released_size_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace tenure
