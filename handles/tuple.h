// Tuple: views of Python's tuple, and making one.
//
//   for (Borrowed<> item : tuple) ...              // counts no references
//   Result<Tuple> pair = Tuple::make(key, value);
//
// Whoever keeps the tuple alive keeps its items alive: that is how long what [] and loops answer
// may be used. Take new_ref() of what has to live longer.
//
// Not for: filling in a tuple that others have seen; TupleBuilder fills in a new one.
//
// Thread safety: attached for everything. A tuple never changes.
#ifndef TENURE_HANDLES_TUPLE_H_
#define TENURE_HANDLES_TUPLE_H_

#include <utility>

#include "tenure/handles/object.h"

namespace tenure {

// Steps over items where they lie, in a tuple or a list.
class ItemIterator {
 public:
  explicit ItemIterator(PyObject** at) : at_(at) {}
  Borrowed<> operator*() const { return Borrowed<>(*at_); }
  ItemIterator& operator++() {
    ++at_;
    return *this;
  }
  bool operator==(const ItemIterator&) const = default;

 private:
  PyObject** at_;
};

class Tuple : public Object {
 public:
  static constexpr const char* kName = "tuple";
  static bool check(PyObject* object) { return PyTuple_Check(object); }

  // New reference: of these items, or MemoryError. An Owned that is moved in gives its reference.
  template <typename... Items>
  static Result<Tuple> make(Items&&... items) {
    PyObject* tuple = PyTuple_New(sizeof...(Items));
    if (tuple == nullptr) [[unlikely]]
      return Failed{};
    [[maybe_unused]] Py_ssize_t i = 0;
    (PyTuple_SET_ITEM(tuple, i++, internal::new_reference(std::forward<Items>(items))), ...);
    return tuple;
  }

  // New reference: of what any iterable has.
  static Result<Tuple> from(const Object& iterable) { return PySequence_Tuple(iterable.get()); }

  [[nodiscard]] Py_ssize_t size() const { return PyTuple_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // Borrows from the tuple. Requires: 0 <= i < size().
  [[nodiscard]] Borrowed<> operator[](Py_ssize_t i) const {
    assert(i >= 0 && i < size());
    return Borrowed<>(PyTuple_GET_ITEM(get(), i));
  }
  // The same for any i: IndexError if there is none; nothing is counted from the end.
  [[nodiscard]] Result<Borrowed<>> at(Py_ssize_t i) const {
    return Result<Borrowed<>>(PyTuple_GetItem(get(), i));
  }

  // New reference: the items from `begin` to before `end`; what is out of bounds is left out.
  Result<Tuple> slice(Py_ssize_t begin, Py_ssize_t end) const {
    return PyTuple_GetSlice(get(), begin, end);
  }

  [[nodiscard]] ItemIterator begin() const { return ItemIterator(&PyTuple_GET_ITEM(get(), 0)); }
  [[nodiscard]] ItemIterator end() const {
    return ItemIterator(&PyTuple_GET_ITEM(get(), 0) + size());
  }

 protected:
  using Object::Object;
  Tuple(const Tuple&) = default;
  Tuple& operator=(const Tuple&) = default;
};

// A tuple of a known number of items, filled in from front to back:
//
//   TupleBuilder row = TENURE_TRY(TupleBuilder::make(2));
//   row.add(key);
//   row.add(std::move(value));
//   return std::move(row).finish();
//
// One that is dropped before finish() gives back what it has.
class [[nodiscard]] TupleBuilder {
 public:
  // MemoryError. Requires: size >= 0.
  static Result<TupleBuilder> make(Py_ssize_t size) {
    PyObject* tuple = PyTuple_New(size);
    if (tuple == nullptr) [[unlikely]]
      return Failed{};
    return TupleBuilder(tuple);
  }
  TupleBuilder(TupleBuilder&& other) noexcept
      : tuple_(std::exchange(other.tuple_, nullptr)), next_(other.next_) {}
  TupleBuilder(const TupleBuilder&) = delete;
  TupleBuilder& operator=(const TupleBuilder&) = delete;
  ~TupleBuilder() { Py_XDECREF(tuple_); }

  // Steals from an Owned that is moved in, else takes a new reference. Requires: not full.
  template <typename Item>
  void add(Item&& item) {
    assert(next_ < PyTuple_GET_SIZE(tuple_));
    PyTuple_SET_ITEM(tuple_, next_++, internal::new_reference(std::forward<Item>(item)));
  }

  // Requires: full.
  Owned<Tuple> finish() && {
    assert(next_ == PyTuple_GET_SIZE(tuple_));
    return Owned<Tuple>::steal(std::exchange(tuple_, nullptr));
  }

 private:
  explicit TupleBuilder(PyObject* tuple) : tuple_(tuple) {}

  PyObject* tuple_;
  Py_ssize_t next_ = 0;
};

// --- Object's calls that take a tuple. ---

// x(*arguments)
inline Result<> Object::call_with(const Tuple& arguments) const {
  return PyObject_Call(get(), arguments.get(), nullptr);
}

// x(arguments...), of which the last ones have these names: for calls that are made often, with a
// tuple of names that is kept. Requires: names are strs, and as many arguments at least.
template <typename... Arguments>
Result<> Object::call_named(const Tuple& names, const Arguments&... arguments) const {
  static_assert((View<Arguments> && ...), "the names are in the tuple");
  assert(static_cast<size_t>(names.size()) <= sizeof...(Arguments));
  PyObject* stack[1 + sizeof...(Arguments)];
  stack[0] = nullptr;
  internal::put_arguments(stack + 1, arguments...);
  return PyObject_Vectorcall(
      get(), stack + 1,
      (sizeof...(Arguments) - static_cast<size_t>(names.size())) | PY_VECTORCALL_ARGUMENTS_OFFSET,
      names.get());
}

}  // namespace tenure

#endif  // TENURE_HANDLES_TUPLE_H_
