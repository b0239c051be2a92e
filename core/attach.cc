#include "tenure/core/attach.h"

namespace tenure {

namespace {

// The scopes of this thread, innermost first: after a fork nobody else knows which visits are real.
thread_local Attach* innermost = nullptr;

}  // namespace

Attach::Attach(Gate& gate) : gate_(gate) {
  if (!gate.enter()) return;
  if (!abi::attach(gate.view_, attachment_)) {
    gate.leave();
    return;
  }
  inside_ = true;
  outer_ = innermost;
  innermost = this;
}

Attach::~Attach() {
  if (!inside_) return;
  assert(innermost == this);
  abi::detach(attachment_);
  innermost = outer_;
  gate_.leave();
}

uint32_t Attach::scopes_of_this_thread(const Gate& gate) {
  uint32_t count = 0;
  for (const Attach* scope = innermost; scope != nullptr; scope = scope->outer_) {
    count += &scope->gate_ == &gate ? 1 : 0;
  }
  return count;
}

}  // namespace tenure
