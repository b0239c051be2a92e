// All that some objects own, each once, without recursion: what is nested a million deep is walked
// like what is not.
//
// Thread safety: needs an attached thread that does not detach from the first call to the last, so
// that nothing changes meanwhile. Borrows everything.
#ifndef TENURE_IMMORTAL_GRAPH_WALK_H_
#define TENURE_IMMORTAL_GRAPH_WALK_H_

#include <cstddef>
#include <vector>

#include "tenure/core/abi/python.h"

namespace tenure::graph {

// Addresses that have been seen.
class AddressSet {
 public:
  // True if it was not there before. Requires: not null.
  bool insert(const void* address);
  [[nodiscard]] bool contains(const void* address) const;
  [[nodiscard]] size_t size() const { return used_; }

 private:
  [[nodiscard]] size_t slot_of(const void* address) const;
  void grow();

  // Invariant: a power of two of slots, at least twice as many as are used; or none.
  std::vector<const void*> slots_;
  size_t used_ = 0;
};

// A list of objects that grows while it is walked: breadth first, so that the way by which an
// object was found is a shortest one.
class Walk {
 public:
  static constexpr size_t kNone = ~size_t{0};

  // With `ways`, remembers by which other each object was found.
  explicit Walk(bool ways) : ways_(ways) {}

  // False if the object was added or left out before.
  bool add(PyObject* object, size_t found_by);
  bool leave_out(PyObject* object) { return seen_.insert(object); }
  [[nodiscard]] bool knows(PyObject* object) const { return seen_.contains(object); }

  [[nodiscard]] const std::vector<PyObject*>& objects() const { return objects_; }

  // From the first object to that of an index, all that led there. Requires: ways.
  [[nodiscard]] std::vector<PyObject*> way_to(size_t index) const;

 private:
  AddressSet seen_;
  std::vector<PyObject*> objects_;
  std::vector<size_t> found_by_;
  bool ways_;
};

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_WALK_H_
