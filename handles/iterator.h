// Iterator: views of Python's iterators, and loops over whatever can be iterated.
//
//   for (Result<> step : object.each()) {
//     Owned<> item = TENURE_TRY(std::move(step));
//     ...
//
// An error is a step as well, the last one, so that nobody gets past it without saying what becomes
// of it. That x cannot be iterated at all comes the same way.
//
// Not for: tuples, lists and dicts that are known to be some; their own loops are faster.
//
// Thread safety: attached for everything. Each step may run Python code.
#ifndef TENURE_HANDLES_ITERATOR_H_
#define TENURE_HANDLES_ITERATOR_H_

#include <iterator>
#include <utility>

#include "tenure/handles/object.h"

namespace tenure {

// Where a loop stands.
class IteratorSteps {
 public:
  // Requires: the iterator lives as long as this; or null, with a Python error set.
  explicit IteratorSteps(PyObject* iterator) : iterator_(iterator) {}
  IteratorSteps(const IteratorSteps&) = delete;
  IteratorSteps& operator=(const IteratorSteps&) = delete;
  ~IteratorSteps() { Py_XDECREF(item_); }

  bool operator!=(std::default_sentinel_t /*end*/) {
    if (failed_) [[unlikely]]
      return false;
    if (iterator_ != nullptr) [[likely]] {
      item_ = PyIter_Next(iterator_);
      if (item_ != nullptr) return true;
    }
    failed_ = internal::is_error_set();
    return failed_;
  }
  IteratorSteps& operator++() { return *this; }
  // Requires: asked for the end before, once for each item.
  Result<> operator*() {
    if (failed_) [[unlikely]]
      return Failed{};
    return std::exchange(item_, nullptr);
  }

 private:
  PyObject* iterator_;
  PyObject* item_ = nullptr;
  bool failed_ = false;
};

class Iterator : public Object {
 public:
  static constexpr const char* kName = "iterator";
  static bool check(PyObject* object) { return PyIter_Check(object) != 0; }

  // The next item, nothing at the end, or the error.
  Lookup<> next() const {
    PyObject* item = PyIter_Next(get());
    if (item != nullptr) [[likely]]
      return {1, item};
    return {internal::is_error_set() ? -1 : 0, nullptr};
  }

  [[nodiscard]] IteratorSteps begin() const { return IteratorSteps(get()); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 protected:
  using Object::Object;
  Iterator(const Iterator&) = default;
  Iterator& operator=(const Iterator&) = default;
};

// What each() answers: something to loop over once.
class [[nodiscard]] Iteration {
 public:
  explicit Iteration(Result<Iterator>&& iterator) : iterator_(std::move(iterator)) {}
  [[nodiscard]] IteratorSteps begin() const {
    return IteratorSteps(iterator_ ? iterator_.get() : nullptr);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  Result<Iterator> iterator_;
};

// iter(x). TypeError if it cannot be iterated.
inline Result<Iterator> Object::iter() const { return PyObject_GetIter(get()); }

// To be looped over: `for (Result<> step : x.each())`.
inline Iteration Object::each() const { return Iteration(iter()); }

}  // namespace tenure

#endif  // TENURE_HANDLES_ITERATOR_H_
