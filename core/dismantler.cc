#include "tenure/core/dismantler.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "tenure/core/decref.h"

namespace tenure {

namespace {

constexpr Py_ssize_t kFewLeft = 16;

}  // namespace

bool Dismantler::try_add(PyObject* object) {
  const abi::ContainerKind kind = abi::container_kind(object);
  if (kind == abi::ContainerKind::kNone) return false;
  std::lock_guard guard(lock_);
  const size_t size = this->size();
  if (size == capacity_) {
    const size_t wanted = capacity_ == 0 ? 16 : 2 * capacity_;
    void* grown = std::realloc(open_, wanted * sizeof(*open_));
    if (grown == nullptr) return false;
    open_ = static_cast<abi::OpenContainer*>(grown);
    capacity_ = wanted;
  }
  open_[size] = abi::open_container(object, kind);
  // What is nearly empty is emptied before: or each link of a chain would leave its rest here.
  if (size > 0 && open_[size - 1].end <= kFewLeft) std::swap(open_[size - 1], open_[size]);
  size_.store(size + 1, std::memory_order_relaxed);
  return true;
}

Dismantler::Taken Dismantler::next() {
  const size_t last = size() - 1;
  abi::OpenContainer& container = open_[last];
  if (PyObject* object = abi::take_from(container)) return {object, false};
  if (container.end > 0 || abi::give_back(container)) return {nullptr, false};
  size_.store(last, std::memory_order_relaxed);
  return {container.object, true};
}

bool Dismantler::work(Deadline& deadline) {
  PyThreadState* const state = PyThreadState_Get();
  while (size() > 0) {
    if (!deadline.step()) return false;
    Taken taken;
    {
      std::lock_guard guard(lock_);
      // Another thread may have done the rest meanwhile.
      if (size() == 0) break;
      deadline.advance(abi::drop_plain_from(open_[size() - 1], deadline.allowance()));
      taken = next();
    }
    if (taken.object == nullptr) {
      deadline.look_soon();
      continue;
    }
    const bool is_added =
        !taken.is_emptied && abi::may_be_container(taken.object) && try_add(taken.object);
    if (!is_added) decref_reporting(taken.object, state);
  }
  return true;
}

}  // namespace tenure
