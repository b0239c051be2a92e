// Set and FrozenSet: views of Python's sets, and AnySet of either.
//
//   for (Result<> step : set.each()) ...  // RuntimeError if the set changes size meanwhile
//
// Not for: subclasses that override what is done here; their methods are not asked. Use Object's.
//
// Thread safety: attached for everything. Elements other than strs may run Python code to be hashed
// and compared.
#ifndef TENURE_HANDLES_SET_H_
#define TENURE_HANDLES_SET_H_

#include "tenure/handles/iterator.h"

namespace tenure {

class AnySet : public Object {
 public:
  static constexpr const char* kName = "set or frozenset";
  static bool check(PyObject* object) { return PyAnySet_Check(object); }

  [[nodiscard]] Py_ssize_t size() const { return PySet_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // TypeError if the element cannot be hashed.
  Result<bool> contains(const Object& element) const {
    return internal::truth_of(PySet_Contains(get(), element.get()));
  }

  // The operators |, &, -, ^. New references; of subclasses, what their operators answer.
  Result<> unite(const AnySet& other) const { return PyNumber_Or(get(), other.get()); }
  Result<> intersect(const AnySet& other) const { return PyNumber_And(get(), other.get()); }
  Result<> subtract(const AnySet& other) const { return PyNumber_Subtract(get(), other.get()); }
  Result<> differ(const AnySet& other) const { return PyNumber_Xor(get(), other.get()); }

 protected:
  using Object::Object;
  AnySet(const AnySet&) = default;
  AnySet& operator=(const AnySet&) = default;
};

class Set : public AnySet {
 public:
  static constexpr const char* kName = "set";
  static bool check(PyObject* object) { return PySet_Check(object); }

  // New references: empty, or of what any iterable has.
  static Result<Set> make() { return PySet_New(nullptr); }
  static Result<Set> from(const Object& iterable) { return PySet_New(iterable.get()); }

  // The set holds a reference of its own. TypeError if it cannot be hashed, MemoryError.
  Result<void> add(const Object& element) const {
    return Result<void>::from_status(PySet_Add(get(), element.get()));
  }
  // Whether it was in there.
  Result<bool> discard(const Object& element) const {
    return internal::truth_of(PySet_Discard(get(), element.get()));
  }
  // Takes out any one. KeyError if there is none.
  Result<> pop() const { return PySet_Pop(get()); }
  // Everything of any iterable.
  Result<void> update(const Object& iterable) const;
  Result<void> clear() const { return Result<void>::from_status(PySet_Clear(get())); }

 protected:
  using AnySet::AnySet;
  Set(const Set&) = default;
  Set& operator=(const Set&) = default;
};

class FrozenSet : public AnySet {
 public:
  static constexpr const char* kName = "frozenset";
  static bool check(PyObject* object) { return PyFrozenSet_Check(object); }

  // New references: empty, or of what any iterable has.
  static Result<FrozenSet> make() { return PyFrozenSet_New(nullptr); }
  static Result<FrozenSet> from(const Object& iterable) { return PyFrozenSet_New(iterable.get()); }

 protected:
  using AnySet::AnySet;
  FrozenSet(const FrozenSet&) = default;
  FrozenSet& operator=(const FrozenSet&) = default;
};

inline Result<void> Set::update(const Object& iterable) const {
  for (Result<> step : iterable.each()) {
    if (!step || PySet_Add(get(), step.get()) < 0) return Failed{};
  }
  return {};
}

}  // namespace tenure

#endif  // TENURE_HANDLES_SET_H_
