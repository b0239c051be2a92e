#include "tenure/core/gate.h"

#include "tenure/core/attach.h"

namespace tenure {

bool Gate::open() {
  if (!abi::view_of_current(view_)) return false;
  is_main_ = view_.is_main;
  id_ = PyInterpreterState_GetID(view_.interpreter);
  interpreter_.store(view_.interpreter, std::memory_order_relaxed);
  // Publishes the view to who enters.
  state_.store(0, std::memory_order_release);
  return true;
}

void Gate::forget() {
  interpreter_.store(nullptr, std::memory_order_relaxed);
  // Visitors used it, and there are none any more.
  abi::close_view(view_);
}

bool Gate::was_of(PyInterpreterState* interpreter) const {
  if (PyInterpreterState_GetID(interpreter) != id_) return false;
  // The main interpreter of a runtime that was started again has the same number.
  return !is_main_ || Py_IsFinalizing() != 0;
}

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
  const uint32_t rest = kClosed | Attach::scopes_of_this_thread(*this) * kVisitor;
  uint32_t now = state_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
  if (now <= rest) return;
  // Who is inside may be waiting for the GIL.
  PyThreadState* state = PyEval_SaveThread();
  while (now > rest) {
    state_.wait(now, std::memory_order_acquire);
    now = state_.load(std::memory_order_acquire);
  }
  PyEval_RestoreThread(state);
}

void Gate::reset_visitors(uint32_t count) {
  const uint32_t closed = state_.load(std::memory_order_relaxed) & kClosed;
  state_.store(closed | count * kVisitor, std::memory_order_relaxed);
}

}  // namespace tenure
