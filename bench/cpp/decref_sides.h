// The ways to drop references that are compared, each behind the same few functions.
//
// References are dropped as they are: every object has as many to spare as are dropped of it, added
// beforehand, and none dies.
#ifndef TENURE_BENCH_CPP_DECREF_SIDES_H_
#define TENURE_BENCH_CPP_DECREF_SIDES_H_

#include <cstddef>
#include <span>
#include <string>

#include "tenure/core/abi/python.h"

namespace tenure::bench {

using Objects = std::span<PyObject* const>;

// Made once, attached, and never freed.
class Side {
 public:
  Side() = default;
  virtual ~Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  // Says of which objects references will be dropped. They outlive that. Requires: attached.
  virtual void prepare(Objects objects) { objects_ = objects; }

  // Drops a reference to each object, `times` times; where the side has a queue and the thread is
  // not attached, that is a push. Steals. One loop, in which the compiler may do once what all
  // need.
  virtual void drop(size_t times) = 0;

  // The same, but each in a function of its own.
  virtual void drop_apart(size_t times) { drop(times); }

  // Calls one of the two, attached in this side's eyes. Requires: attached.
  virtual void drop_attached(size_t times, bool apart) { apart ? drop_apart(times) : drop(times); }

  // Does all that was pushed. Requires: attached; nobody pushes.
  virtual void drain() {}

  // Whether pushing needs the GIL, so that nobody else may hold it.
  virtual bool wants_gil() const { return false; }

 protected:
  // What is in memory is looked at again for each, and none is done before another.
  template <typename Item, typename One>
  static void for_each(std::span<Item> items, size_t times, One one) {
    for (size_t i = 0; i < times; ++i) {
      for (Item& item : items) {
        one(item);
        asm volatile("" : : : "memory");
      }
    }
  }

  Objects objects_;
};

// The side of that name, made when it is first asked for; null if there is none. Thread state:
// attached.
//
//   sendable      a Sendable
//   defer         DecrefQueue::defer(), what a Sendable that is dropped detached comes down to
//   pyo3          a Py<PyAny>; there once load_pyo3() has been called
//   mutex-vector  a std::vector under a std::mutex
//   c             Py_DECREF(); attached only
//   and those of bench/cpp/decref_candidates.h
Side* find_side(const std::string& name);

// Loads what bench/pyo3/decref is built into; answers what it is, such as "PyO3 0.28.2", or nothing
// with a Python error set. Thread state: attached.
std::string load_pyo3(const char* path);

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_DECREF_SIDES_H_
