// Dict: views of Python's dict.
//
//   Lookup<> found = settings.get("timeout"_name);
//   if (!found.ok()) return Failed{};
//   if (found) use(*found);
//
//   for (Result<DictItem> step : dict) {         // whatever happens to the dict meanwhile
//     auto [key, value] = TENURE_TRY(std::move(step));
//     ...
//   for (auto [key, value] : dict.unsafe_borrowed()) ...  // where nothing can happen to it
//
// Not for: subclasses that override what is done here, such as defaultdict with its __missing__:
// their methods are not asked. Use Object's operations or Mapping.
//
// Thread safety: attached for everything. Without the GIL all but unsafe_borrowed() is safe while
// other threads change the dict. Keys other than strs may run Python code to be hashed and
// compared.
#ifndef TENURE_HANDLES_DICT_H_
#define TENURE_HANDLES_DICT_H_

#include <iterator>
#include <utility>

#include "tenure/handles/list.h"

namespace tenure {

// What a loop over a dict answers, with references of its own.
struct DictItem {
  Owned<> key;
  Owned<> value;
};

// The same borrowed from the dict.
struct DictEntry {
  Borrowed<> key;
  Borrowed<> value;
};

// One step over a dict is an item or the error that ended the loop, which comes once: RuntimeError
// if the dict was given or robbed of keys since the loop began. Values may be replaced meanwhile.
class DictIterator {
 public:
  // Requires: the dict lives as long as this.
  explicit DictIterator(PyObject* dict) : dict_(dict), size_(PyDict_GET_SIZE(dict)), left_(size_) {}
  DictIterator(const DictIterator&) = delete;
  DictIterator& operator=(const DictIterator&) = delete;
  ~DictIterator() {
    Py_XDECREF(key_);
    Py_XDECREF(value_);
  }

  bool operator!=(std::default_sentinel_t /*end*/) {
    if (left_ < 0) [[unlikely]]
      return false;
    if (PyDict_GET_SIZE(dict_) != size_) [[unlikely]] {
      return fail("dictionary changed size during iteration");
    }
    bool found;
    // Where other threads run, they must not change the dict before its items are counted.
    Py_BEGIN_CRITICAL_SECTION(dict_);
    found = PyDict_Next(dict_, &position_, &key_, &value_) != 0;
    if (found) {
      Py_INCREF(key_);
      Py_INCREF(value_);
    }
    Py_END_CRITICAL_SECTION();
    // More keys than there were, of which others must have gone.
    if (found && left_-- == 0) [[unlikely]] {
      Py_CLEAR(key_);
      Py_CLEAR(value_);
      return fail("dictionary keys changed during iteration");
    }
    return found;
  }
  DictIterator& operator++() { return *this; }
  // Requires: asked for the end before, once for each item.
  Result<DictItem> operator*() {
    if (left_ < 0) [[unlikely]]
      return Failed{};
    return DictItem{Owned<>::steal(std::exchange(key_, nullptr)),
                    Owned<>::steal(std::exchange(value_, nullptr))};
  }

 private:
  [[gnu::cold]] bool fail(const char* what) {
    PyErr_SetString(PyExc_RuntimeError, what);
    left_ = -1;
    return true;
  }

  PyObject* dict_;
  PyObject* key_ = nullptr;
  PyObject* value_ = nullptr;
  Py_ssize_t position_ = 0;
  Py_ssize_t size_;
  Py_ssize_t left_;  // How many keys may still come; below 0 once an error was answered.
};

// The entries where they lie. Requires: nothing changes the dict's keys while it is used. Values
// may be replaced, but what is replaced may then be gone.
class DictEntries {
 public:
  class Iterator {
   public:
    explicit Iterator(PyObject* dict) : dict_(dict) {}
    bool operator!=(std::default_sentinel_t /*end*/) {
      return PyDict_Next(dict_, &position_, &key_, &value_) != 0;
    }
    Iterator& operator++() { return *this; }
    DictEntry operator*() const { return {Borrowed<>(key_), Borrowed<>(value_)}; }

   private:
    PyObject* dict_;
    PyObject* key_ = nullptr;
    PyObject* value_ = nullptr;
    Py_ssize_t position_ = 0;
  };

  explicit DictEntries(PyObject* dict) : dict_(dict) {}
  [[nodiscard]] Iterator begin() const { return Iterator(dict_); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  PyObject* dict_;
};

class Dict : public Object {
 public:
  static constexpr const char* kName = "dict";
  static bool check(PyObject* object) { return PyDict_Check(object); }

  // New reference to an empty one, or MemoryError.
  static Result<Dict> make() { return PyDict_New(); }

  [[nodiscard]] Py_ssize_t size() const { return PyDict_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  using Object::get;
  // What belongs to the key, as a new reference; or nothing. TypeError if it cannot be hashed.
  Lookup<> get(const Object& key) const {
    PyObject* found;
    const int status = PyDict_GetItemRef(get(), key.get(), &found);
    return {status, found};
  }
  Lookup<> get(const char* key) const {
    PyObject* found;
    const int status = PyDict_GetItemStringRef(get(), key, &found);
    return {status, found};
  }
  Result<bool> contains(const Object& key) const {
    return internal::truth_of(PyDict_Contains(get(), key.get()));
  }

  // The dict holds references of its own. What was there is dropped last.
  Result<void> set(const Object& key, const Object& value) const {
    return Result<void>::from_status(PyDict_SetItem(get(), key.get(), value.get()));
  }
  Result<void> set(const char* key, const Object& value) const {
    return Result<void>::from_status(PyDict_SetItemString(get(), key, value.get()));
  }
  // KeyError if there is none.
  Result<void> del(const Object& key) const {
    return Result<void>::from_status(PyDict_DelItem(get(), key.get()));
  }
  Result<void> del(const char* key) const {
    return Result<void>::from_status(PyDict_DelItemString(get(), key));
  }
  // Takes the value out.
  Lookup<> pop(const Object& key) const {
    PyObject* found;
    const int status = PyDict_Pop(get(), key.get(), &found);
    return {status, found};
  }
  // What belongs to the key, which is this value from now on if there was none. New reference.
  Result<> setdefault(const Object& key, const Object& value) const {
    PyObject* kept;
    if (PyDict_SetDefaultRef(get(), key.get(), value.get(), &kept) < 0) return Failed{};
    return kept;
  }

  // Everything of another mapping, in place of what was under its keys.
  Result<void> update(const Object& mapping) const {
    return Result<void>::from_status(PyDict_Update(get(), mapping.get()));
  }
  // Everything of another mapping whose keys are not there yet.
  Result<void> add_missing(const Object& mapping) const {
    return Result<void>::from_status(PyDict_Merge(get(), mapping.get(), 0));
  }
  void clear() const { PyDict_Clear(get()); }

  // New references, to copies.
  Result<Dict> copy() const { return PyDict_Copy(get()); }
  Result<List> keys() const { return PyDict_Keys(get()); }
  Result<List> values() const { return PyDict_Values(get()); }
  // Of tuples (key, value).
  Result<List> items() const { return PyDict_Items(get()); }

  // Safe whatever happens to the dict; the dict itself has to be kept alive.
  [[nodiscard]] DictIterator begin() const { return DictIterator(get()); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  // Counts no references. Requires: nothing changes the dict's keys during the loop: no Python code
  // runs, and without the GIL no other thread can reach the dict.
  [[nodiscard]] DictEntries unsafe_borrowed() const { return DictEntries(get()); }

 protected:
  using Object::Object;
  Dict(const Dict&) = default;
  Dict& operator=(const Dict&) = default;
};

// x(*arguments, **keywords)
inline Result<> Object::call_with(const Tuple& arguments, const Dict& keywords) const {
  return PyObject_Call(get(), arguments.get(), keywords.get());
}

}  // namespace tenure

#endif  // TENURE_HANDLES_DICT_H_
