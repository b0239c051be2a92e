// GilPool: references that all die together, as PyO3 had them before its handles said who owns
// what.
//
// What is given to a pool is kept in a list of this thread and may be used as borrowed until the
// pool ends. Nobody counts, and nobody has to think: that is what was nice about it. But nothing
// ends before the pool does, and what outlives its pool points to nothing.
//
// Not for: new code; it is here to be moved away from.
//
// Thread safety: attached; a pool ends in the thread that made it, the last one first.
#ifndef TENURE_EXAMPLES_MOVING_FROM_GILPOOL_GIL_POOL_H_
#define TENURE_EXAMPLES_MOVING_FROM_GILPOOL_GIL_POOL_H_

#include <cstddef>
#include <vector>

#include "tenure/core/abi/python.h"

namespace report {

class GilPool {
 public:
  GilPool() : begin_(owned().size()) {}
  GilPool(const GilPool&) = delete;
  GilPool& operator=(const GilPool&) = delete;
  ~GilPool() {
    // The list is left in order before anything is dropped: destructors may make pools.
    const std::vector<PyObject*> mine(owned().begin() + static_cast<ptrdiff_t>(begin_),
                                      owned().end());
    owned().resize(begin_);
    for (PyObject* object : mine) Py_DECREF(object);
  }

  // Steals a new reference and answers it as a borrowed one. Null, with a Python error set, stays
  // that.
  PyObject* own(PyObject* object) {
    if (object != nullptr) owned().push_back(object);
    return object;
  }

 private:
  static std::vector<PyObject*>& owned() {
    static thread_local std::vector<PyObject*> all;
    return all;
  }

  size_t begin_;
};

}  // namespace report

#endif  // TENURE_EXAMPLES_MOVING_FROM_GILPOOL_GIL_POOL_H_
