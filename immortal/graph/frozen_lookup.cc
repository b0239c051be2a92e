#include "tenure/immortal/graph/frozen_lookup.h"

#include <atomic>
#include <utility>

#include "tenure/core/strong.h"
#include "tenure/immortal/graph/interpreter_record.h"

namespace tenure::graph {
namespace {

using abi::FrozenDictObject;

// A dict from each key to the number of its entry.
Strong make_fallback(const FrozenDictObject* dict) {
  Strong made = PyDict_New();
  if (!made) return {};
  const abi::FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    const Strong number = PyLong_FromSize_t(i);
    if (!number || PyDict_SetItem(made.get(), entries[i].key, number.get()) < 0) return {};
  }
  return made;
}

// The collector may have emptied it, when both of them are garbage.
bool is_whole(PyObject* fallback, const FrozenDictObject* dict) {
  return fallback != nullptr && PyDict_GET_SIZE(fallback) == Py_SIZE(&dict->head);
}

Strong fallback_on_heap(FrozenDictObject* dict) {
  // Acquire and release: who sees the dict sees what is in it.
  const std::atomic_ref<PyObject*> kept(dict->fallback);
  PyObject* known = kept.load(std::memory_order_acquire);
  if (is_whole(known, dict)) return Py_NewRef(known);
  Strong made = make_fallback(dict);
  if (!made || known != nullptr) return made;
  if (kept.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) {
    Py_INCREF(made.get());
  }
  return made;
}

Strong fallback_in_interpreter(const FrozenDictObject* dict) {
  InterpreterRecord* record = current_record();
  if (record == nullptr) return {};
  const Strong address = PyLong_FromVoidPtr(const_cast<FrozenDictObject*>(dict));
  if (!address) return {};
  PyObject* known = nullptr;
  const int found = PyDict_GetItemRef(record->fallbacks, address.get(), &known);
  if (found != 0) return known;
  const Strong made = make_fallback(dict);
  if (!made) return {};
  PyDict_SetDefaultRef(record->fallbacks, address.get(), made.get(), &known);
  return known;
}

// What a dict says of such a key. Requires: an error is set.
void raise_unhashable(PyObject* key) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
  PyObject* original = PyErr_GetRaisedException();
  const Strong empty = PyDict_New();
  if (empty && PyDict_Contains(empty.get(), key) < 0) {
    Py_DECREF(original);
  } else {
    PyErr_SetRaisedException(original);
  }
}

Py_ssize_t look_through(const FrozenDictObject* dict, PyObject* key) {
  const Py_hash_t hash = PyObject_Hash(key);
  if (hash == -1) {
    raise_unhashable(key);
    return kFailed;
  }
  const abi::FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    PyObject* own = entries[i].key;
    if (own == key) return static_cast<Py_ssize_t>(i);
    const Py_hash_t own_hash = PyObject_Hash(own);
    if (own_hash == -1) return kFailed;
    if (own_hash != hash) continue;
    const int equal = PyObject_RichCompareBool(own, key, Py_EQ);
    if (equal != 0) return equal > 0 ? static_cast<Py_ssize_t>(i) : kFailed;
  }
  return kNotFound;
}

}  // namespace

Py_ssize_t find_by_python(FrozenDictObject* dict, PyObject* key) {
  if (abi::entry_count(dict) <= abi::kMostTags) return look_through(dict, key);
  const Strong fallback =
      (dict->flags & abi::kOnHeap) != 0 ? fallback_on_heap(dict) : fallback_in_interpreter(dict);
  if (!fallback) return kFailed;
  PyObject* found = nullptr;
  if (PyDict_GetItemRef(fallback.get(), key, &found) < 0) return kFailed;
  if (found == nullptr) return kNotFound;
  const Strong number = found;
  return PyLong_AsSsize_t(number.get());
}

}  // namespace tenure::graph
