// Sequence: what is asked by number, as views of any object that can be: lists, tuples, strs, their
// subclasses with their overrides, and classes with a __getitem__.
//
// What is and what is not a sequence cannot be seen: check() is true for every class with a
// __getitem__ but dicts. Who needs to know asks isinstance() of collections.abc.Sequence.
//
// Not for: lists and tuples; their own views are faster.
//
// Thread safety: attached for everything. Every operation may run Python code.
#ifndef TENURE_HANDLES_SEQUENCE_H_
#define TENURE_HANDLES_SEQUENCE_H_

#include "tenure/handles/list.h"

namespace tenure {

class Sequence : public Object {
 public:
  static constexpr const char* kName = "sequence";
  static bool check(PyObject* object) { return PySequence_Check(object) != 0; }

  // New reference. IndexError if there is none; below 0 it is counted from the end.
  Result<> at(Py_ssize_t i) const { return PySequence_GetItem(get(), i); }
  Result<void> set(Py_ssize_t i, const Object& item) const {
    return Result<void>::from_status(PySequence_SetItem(get(), i, item.get()));
  }
  Result<void> del(Py_ssize_t i) const {
    return Result<void>::from_status(PySequence_DelItem(get(), i));
  }

  // New references: x[begin:end], x + other, x * count, list(x), tuple(x).
  Result<> slice(Py_ssize_t begin, Py_ssize_t end) const {
    return PySequence_GetSlice(get(), begin, end);
  }
  Result<> concat(const Object& other) const { return PySequence_Concat(get(), other.get()); }
  Result<> repeat(Py_ssize_t count) const { return PySequence_Repeat(get(), count); }
  Result<List> to_list() const { return PySequence_List(get()); }
  Result<Tuple> to_tuple() const { return PySequence_Tuple(get()); }

  // The number of the first item that equals it; ValueError if there is none.
  Result<Py_ssize_t> index(const Object& item) const { return number(PySequence_Index, item); }
  // How many equal it.
  Result<Py_ssize_t> count(const Object& item) const { return number(PySequence_Count, item); }

 protected:
  using Object::Object;
  Sequence(const Sequence&) = default;
  Sequence& operator=(const Sequence&) = default;

 private:
  Result<Py_ssize_t> number(Py_ssize_t (*ask)(PyObject*, PyObject*), const Object& item) const {
    const Py_ssize_t answer = ask(get(), item.get());
    if (answer < 0) return Failed{};
    return answer;
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_SEQUENCE_H_
