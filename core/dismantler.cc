#include "tenure/core/dismantler.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "tenure/core/decref.h"

namespace tenure {

namespace {

constexpr Py_ssize_t kFewLeft = 16;

// Of an object that holds more than this many, the rest goes with it.
constexpr size_t kMostParts = 256;

// False if there is no memory.
template <typename Item>
bool make_room(Item*& items, size_t size, size_t& capacity) {
  if (size < capacity) return true;
  const size_t wanted = capacity == 0 ? 16 : 2 * capacity;
  void* grown = std::realloc(items, wanted * sizeof(*items));
  if (grown == nullptr) return false;
  items = static_cast<Item*>(grown);
  capacity = wanted;
  return true;
}

}  // namespace

bool Dismantler::try_add(PyObject* object) {
  const abi::ContainerKind kind = abi::container_kind(object);
  if (kind == abi::ContainerKind::kNone) return false;
  std::lock_guard guard(lock_);
  const size_t size = size_.load(std::memory_order_relaxed);
  if (!make_room(open_, size, capacity_)) return false;
  open_[size] = abi::open_container(object, kind);
  // What is nearly empty is emptied before: or each link of a chain would leave its rest here.
  if (size > 0 && open_[size - 1].end <= kFewLeft) std::swap(open_[size - 1], open_[size]);
  size_.store(size + 1, std::memory_order_relaxed);
  return true;
}

bool Dismantler::try_add_other(PyObject* object) {
  if (!abi::may_be_container(object) || !abi::is_only_reference(object)) return false;
  std::lock_guard guard(lock_);
  const size_t size = other_size_.load(std::memory_order_relaxed);
  if (!make_room(others_, size, other_capacity_)) return false;
  others_[size] = object;
  other_size_.store(size + 1, std::memory_order_relaxed);
  return true;
}

bool Dismantler::try_add_any(PyObject* object) { return try_add(object) || try_add_other(object); }

Dismantler::Taken Dismantler::next() {
  if (const size_t others = other_size_.load(std::memory_order_relaxed); others > 0) {
    other_size_.store(others - 1, std::memory_order_relaxed);
    return {others_[others - 1], false};
  }
  const size_t size = size_.load(std::memory_order_relaxed);
  if (size == 0) return {nullptr, false};
  abi::OpenContainer& container = open_[size - 1];
  if (PyObject* object = abi::take_from(container)) return {object, false};
  if (container.end > 0 || abi::give_back(container)) return {nullptr, false};
  size_.store(size - 1, std::memory_order_relaxed);
  return {container.object, true};
}

// Steals. Out of line: its array would make the frame of a plain decref larger.
[[gnu::noinline]] void Dismantler::drop(PyObject* object, PyThreadState* state) {
  PyObject* parts[kMostParts];
  const size_t count = abi::keep_parts(object, parts, kMostParts);
  decref_reporting(object, state);
  // Backwards, so that the first goes first.
  for (size_t i = count; i-- > 0;) {
    if (!try_add_any(parts[i])) decref_reporting(parts[i], state);
  }
}

bool Dismantler::work(Deadline& deadline) {
  PyThreadState* const state = PyThreadState_Get();
  while (size() > 0) {
    if (!deadline.step()) return false;
    Taken taken;
    {
      std::lock_guard guard(lock_);
      const size_t open = size_.load(std::memory_order_relaxed);
      if (open > 0 && other_size_.load(std::memory_order_relaxed) == 0) {
        deadline.advance(abi::drop_plain_from(open_[open - 1], deadline.allowance()));
      }
      taken = next();
    }
    if (taken.object == nullptr) {
      // Also when another thread has done the rest meanwhile.
      deadline.look_soon();
    } else if (taken.is_emptied || !abi::may_be_container(taken.object)) {
      decref_reporting(taken.object, state);
    } else if (!try_add(taken.object)) {
      drop(taken.object, state);
    }
  }
  return true;
}

}  // namespace tenure
