#include "tenure/core/gate.h"

#include <chrono>
#include <thread>
#include <utility>

#include "tenure/core/attach.h"

namespace tenure {

namespace {

// Counts how often the runtime has ended.
std::atomic<uint32_t> life{0};

constexpr std::chrono::milliseconds kPatienceAtTheEnd{500};

// The visits of this thread: after a fork nobody else knows which are real.
thread_local Visit* innermost = nullptr;

}  // namespace

Visit::Visit(Gate& gate) : gate_(gate), inside_(gate.enter()) {
  if (inside_) outer_ = std::exchange(innermost, this);
}

Visit::~Visit() {
  if (!inside_) return;
  Visit** link = &innermost;
  while (*link != this) link = &(*link)->outer_;
  *link = outer_;
  gate_.leave();
}

uint32_t Visit::of_this_thread(const Gate& gate) {
  uint32_t count = 0;
  for (const Visit* visit = innermost; visit != nullptr; visit = visit->outer_) {
    count += &visit->gate_ == &gate ? 1 : 0;
  }
  return count;
}

void Gate::open() {
  view_ = abi::view_of_current();
  is_main_ = view_.is_main;
  life_ = life.load(std::memory_order_relaxed);
  id_ = PyInterpreterState_GetID(view_.interpreter);
  interpreter_.store(view_.interpreter, std::memory_order_relaxed);
  // Publishes the view to who enters.
  state_.store(0, std::memory_order_release);
}

void Gate::forget() { interpreter_.store(nullptr, std::memory_order_relaxed); }

bool Gate::was_of(PyInterpreterState* interpreter) const {
  return PyInterpreterState_GetID(interpreter) == id_ &&
         life.load(std::memory_order_relaxed) == life_;
}

void Gate::end_life() { life.fetch_add(1, std::memory_order_relaxed); }

bool Gate::enter() {
  if ((state_.fetch_add(kVisitor, std::memory_order_acq_rel) & kClosed) == 0) return true;
  leave();
  return false;
}

void Gate::leave() {
  const uint32_t before = state_.fetch_sub(kVisitor, std::memory_order_acq_rel);
  // The gate outlives whoever waits at it.
  if ((before & kClosed) != 0) state_.notify_all();
}

void Gate::close() {
  // Scopes that this thread is in would be waited for in vain.
  const uint32_t rest = kClosed | count_own_visitors() * kVisitor;
  uint32_t now = state_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
  if (now <= rest) return;
  // Once the runtime ends, threads may be kept from attaching for ever; who is inside then may
  // never leave, and may not do anything else either.
  const bool may_be_stuck = Py_IsFinalizing() != 0;
  const auto end = std::chrono::steady_clock::now() + kPatienceAtTheEnd;
  // Who is inside may be waiting for the GIL.
  PyThreadState* state = PyEval_SaveThread();
  while (now > rest) {
    if (!may_be_stuck) {
      state_.wait(now, std::memory_order_acquire);
    } else if (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      break;
    }
    now = state_.load(std::memory_order_acquire);
  }
  PyEval_RestoreThread(state);
}

uint32_t Gate::count_own_visitors() const {
  return Attach::scopes_of_this_thread(*this) + Visit::of_this_thread(*this);
}

void Gate::reset_visitors() {
  const uint32_t closed = state_.load(std::memory_order_relaxed) & kClosed;
  state_.store(closed | count_own_visitors() * kVisitor, std::memory_order_relaxed);
}

}  // namespace tenure
