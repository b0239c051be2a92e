#include "tenure/immortal/graph/walk.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tenure::graph {

// The slot that has the address, or the empty one where it would go. Requires: there are slots.
size_t AddressSet::slot_of(const void* address) const {
  const size_t mask = slots_.size() - 1;
  // Objects stand 16 bytes apart; the multiplication spreads what is left over all bits.
  const uint64_t mixed = (reinterpret_cast<uintptr_t>(address) >> 4) * 0x9e3779b97f4a7c15;
  size_t slot = (mixed >> 32) & mask;
  while (slots_[slot] != nullptr && slots_[slot] != address) slot = (slot + 1) & mask;
  return slot;
}

void AddressSet::grow() {
  std::vector<const void*> old(std::max<size_t>(1024, slots_.size() * 2));
  old.swap(slots_);
  for (const void* address : old) {
    if (address != nullptr) slots_[slot_of(address)] = address;
  }
}

bool AddressSet::insert(const void* address) {
  if (slots_.size() < 2 * (used_ + 1)) grow();
  const void*& slot = slots_[slot_of(address)];
  if (slot != nullptr) return false;
  slot = address;
  ++used_;
  return true;
}

bool AddressSet::contains(const void* address) const {
  return !slots_.empty() && slots_[slot_of(address)] != nullptr;
}

bool Walk::add(PyObject* object, size_t found_by) {
  if (!seen_.insert(object)) return false;
  objects_.push_back(object);
  if (ways_) found_by_.push_back(found_by);
  return true;
}

std::vector<PyObject*> Walk::way_to(size_t index) const {
  std::vector<PyObject*> way;
  for (; index != kNone; index = found_by_[index]) way.push_back(objects_[index]);
  std::reverse(way.begin(), way.end());
  return way;
}

}  // namespace tenure::graph
