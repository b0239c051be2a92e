// List: views of Python's list, and making one.
//
//   for (Owned<> item : list) ...                      // whatever happens to the list meanwhile
//   for (Borrowed<> item : list.unsafe_borrowed()) ... // where nothing can happen to it
//
// Whoever can reach a list can change it. Running Python code (calling, comparing, dropping the
// last reference to an object) or, without the GIL, another thread is enough for a borrowed item to
// be gone; so what is borrowed from a list says in its name or its rule that nothing of that
// happens.
//
// Not for: subclasses that override what is done here. Their methods are not asked; use Object's.
//
// Thread safety: attached for everything. Without the GIL the operations that answer a Result or an
// Owned are safe while other threads change the list; the others are not.
#ifndef TENURE_HANDLES_LIST_H_
#define TENURE_HANDLES_LIST_H_

#include <cstddef>
#include <iterator>
#include <utility>

#include "tenure/handles/tuple.h"

namespace tenure {

// Goes by number, as Python's iterator does: what is appended meanwhile is seen, and a list that
// got shorter ends the loop. Each item has a reference of its own.
class ListIterator {
 public:
  // Requires: the list lives as long as this.
  explicit ListIterator(PyObject* list) : list_(list) {}
  ListIterator(const ListIterator&) = delete;
  ListIterator& operator=(const ListIterator&) = delete;
  ~ListIterator() {
    if constexpr (abi::kFreeThreaded) Py_XDECREF(item_);
  }

  bool operator!=(std::default_sentinel_t /*end*/) {
    if (next_ >= PyList_GET_SIZE(list_)) return false;
    if constexpr (abi::kFreeThreaded) return fetch();
    return true;
  }
  ListIterator& operator++() {
    ++next_;
    return *this;
  }
  // Requires: asked for the end before, once for each item.
  Owned<> operator*() {
    if constexpr (abi::kFreeThreaded) return Owned<>::steal(std::exchange(item_, nullptr));
    return Owned<>::steal(Py_NewRef(PyList_GET_ITEM(list_, next_)));
  }

 private:
  // Another thread may have made the list shorter since its size was asked for.
  bool fetch() {
    Py_XDECREF(std::exchange(item_, PyList_GetItemRef(list_, next_)));
    if (item_ == nullptr) PyErr_Clear();
    return item_ != nullptr;
  }

  PyObject* list_;
  Py_ssize_t next_ = 0;
  PyObject* item_ = nullptr;  // Free-threaded only.
};

// The items where they lie. Requires: nothing changes the list while it is used.
class ListItems {
 public:
  explicit ListItems(PyObject* list) : items_(&PyList_GET_ITEM(list, 0)), list_(list) {}
  [[nodiscard]] ItemIterator begin() const { return ItemIterator(items_); }
  [[nodiscard]] ItemIterator end() const { return ItemIterator(items_ + PyList_GET_SIZE(list_)); }

 private:
  PyObject** items_;
  PyObject* list_;
};

class List : public Object {
 public:
  static constexpr const char* kName = "list";
  static bool check(PyObject* object) { return PyList_Check(object); }

  // New reference: of these items, or MemoryError. An Owned that is moved in gives its reference.
  template <typename... Items>
  static Result<List> make(Items&&... items) {
    PyObject* list = PyList_New(sizeof...(Items));
    if (list == nullptr) [[unlikely]]
      return Failed{};
    [[maybe_unused]] Py_ssize_t i = 0;
    (PyList_SET_ITEM(list, i++, internal::new_reference(std::forward<Items>(items))), ...);
    return list;
  }

  // New reference: of what any iterable has.
  static Result<List> from(const Object& iterable) { return PySequence_List(iterable.get()); }

  [[nodiscard]] Py_ssize_t size() const { return PyList_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // Borrows from the list. Requires: 0 <= i < size(), and nothing changes the list until the answer
  // was used or a reference to it was taken: no Python code runs, and without the GIL no other
  // thread can reach the list.
  [[nodiscard]] Borrowed<> operator[](Py_ssize_t i) const {
    assert(i >= 0 && i < size());
    return Borrowed<>(PyList_GET_ITEM(get(), i));
  }
  // New reference. IndexError if there is none; nothing is counted from the end.
  [[nodiscard]] Result<> at(Py_ssize_t i) const { return PyList_GetItemRef(get(), i); }

  // Safe whatever happens to the list; the list itself has to be kept alive.
  [[nodiscard]] ListIterator begin() const { return ListIterator(get()); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  // Counts no references. Requires: as operator[], for the whole loop.
  [[nodiscard]] ListItems unsafe_borrowed() const { return ListItems(get()); }

  // The list holds a reference of its own to what is added. MemoryError.
  Result<void> append(const Object& item) const {
    return Result<void>::from_status(PyList_Append(get(), item.get()));
  }
  // Before item `i`; beyond either end, at that end. Below 0 it is counted from the end.
  Result<void> insert(Py_ssize_t i, const Object& item) const {
    return Result<void>::from_status(PyList_Insert(get(), i, item.get()));
  }
  Result<void> extend(const Object& iterable) const {
    return Result<void>::from_status(PyList_Extend(get(), iterable.get()));
  }

  // Puts the item there, then drops the one that was, which may run Python code. Steals from an
  // Owned that is moved in, else takes a new reference. IndexError if there is no such place.
  template <typename Item>
  Result<void> set(Py_ssize_t i, Item&& item) const {
    return Result<void>::from_status(
        PyList_SetItem(get(), i, internal::new_reference(std::forward<Item>(item))));
  }
  // IndexError; below 0 it is counted from the end.
  Result<void> del(Py_ssize_t i) const {
    return Result<void>::from_status(PySequence_DelItem(get(), i));
  }

  // New reference: the items from `begin` to before `end`; what is out of bounds is left out.
  Result<List> slice(Py_ssize_t begin, Py_ssize_t end) const {
    return PyList_GetSlice(get(), begin, end);
  }
  // Puts the items of any iterable in place of those.
  Result<void> set_slice(Py_ssize_t begin, Py_ssize_t end, const Object& items) const {
    return Result<void>::from_status(PyList_SetSlice(get(), begin, end, items.get()));
  }
  Result<void> del_slice(Py_ssize_t begin, Py_ssize_t end) const {
    return Result<void>::from_status(PyList_SetSlice(get(), begin, end, nullptr));
  }
  Result<List> copy() const { return slice(0, PY_SSIZE_T_MAX); }
  Result<Tuple> to_tuple() const { return PyList_AsTuple(get()); }

  // Compares with <; ValueError if a comparison changes the list.
  Result<void> sort() const { return Result<void>::from_status(PyList_Sort(get())); }
  Result<void> reverse() const { return Result<void>::from_status(PyList_Reverse(get())); }
  Result<void> clear() const { return Result<void>::from_status(PyList_Clear(get())); }

 protected:
  using Object::Object;
  List(const List&) = default;
  List& operator=(const List&) = default;
};

// A list of a known number of items, filled in from front to back, as with TupleBuilder. Nobody
// sees the list before finish(); one that is dropped before gives back what it has.
class [[nodiscard]] ListBuilder {
 public:
  // MemoryError. Requires: size >= 0.
  static Result<ListBuilder> make(Py_ssize_t size) {
    PyObject* list = PyList_New(size);
    if (list == nullptr) [[unlikely]]
      return Failed{};
    return ListBuilder(list);
  }
  ListBuilder(ListBuilder&& other) noexcept
      : list_(std::exchange(other.list_, nullptr)), next_(other.next_) {}
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;
  ~ListBuilder() { Py_XDECREF(list_); }

  // Steals from an Owned that is moved in, else takes a new reference. Requires: not full.
  template <typename Item>
  void add(Item&& item) {
    assert(next_ < PyList_GET_SIZE(list_));
    PyList_SET_ITEM(list_, next_++, internal::new_reference(std::forward<Item>(item)));
  }

  // Requires: full.
  Owned<List> finish() && {
    assert(next_ == PyList_GET_SIZE(list_));
    return Owned<List>::steal(std::exchange(list_, nullptr));
  }

 private:
  explicit ListBuilder(PyObject* list) : list_(list) {}

  PyObject* list_;
  Py_ssize_t next_ = 0;
};

// The names of x's attributes. May run Python code.
inline Result<List> Object::dir() const { return PyObject_Dir(get()); }

}  // namespace tenure

#endif  // TENURE_HANDLES_LIST_H_
