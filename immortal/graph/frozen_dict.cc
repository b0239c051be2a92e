#include "tenure/immortal/graph/frozen_dict.h"

#include <atomic>
#include <mutex>

#include "tenure/core/abi/dicts.h"
#include "tenure/core/abi/static_type.h"
#include "tenure/core/abi/thread.h"
#include "tenure/immortal/graph/frozen_dict_parts.h"
#include "tenure/immortal/graph/frozen_table.h"

namespace tenure::graph {
namespace {

using abi::FrozenDictObject;
using abi::FrozenEntry;

// Once in each interpreter; the record says whether it was done.
bool ready_type_here(TypePage* page) {
  InterpreterRecord* record = make_record(page);
  if (record == nullptr) return false;
  const std::lock_guard lock(page->readying);
  if (!record->is_type_ready) record->is_type_ready = abi::ready_static_type(&page->type);
  return record->is_type_ready;
}

// A subinterpreter may not be the first: it would own what the type refers to.
bool ready_type_in_main(TypePage* page) {
  abi::Attachment attachment;
  if (!abi::attach({PyInterpreterState_Main(), true}, attachment)) {
    PyErr_SetString(PyExc_RuntimeError,
                    "FrozenDict cannot be made ready, because the main interpreter is ending");
    return false;
  }
  const bool is_ready = ready_type_here(page);
  // It belongs to the main interpreter.
  if (!is_ready) PyErr_Clear();
  abi::detach(attachment);
  if (!is_ready) PyErr_NoMemory();
  return is_ready;
}

// False means that the collector need not look at it: it refers to nothing that could refer back.
bool may_be_in_cycle(PyObject* object) {
  if (!PyObject_IS_GC(object)) return false;
  if (PyTuple_CheckExact(object) || abi::is_frozen_dict(object)) {
    return PyObject_GC_IsTracked(object) != 0;
  }
  return true;
}

// Fills the entries and hashes, as many as there are; false if the dict has another number of them.
// No code but the interpreter's runs meanwhile.
bool take_items(PyObject* dict, FrozenDictObject* frozen, KeyHash* hashes) {
  FrozenEntry* entries = abi::entries_of(frozen);
  const size_t count = abi::entry_count(frozen);
  size_t taken = 0;
  Py_ssize_t position = 0;
  PyObject* key;
  PyObject* value;
  while (PyDict_Next(dict, &position, &key, &value) != 0) {
    if (taken == count) return false;
    hashes[taken] = key_hash(key);
    entries[taken++] = {Py_NewRef(key), Py_NewRef(value)};
  }
  return taken == count;
}

bool has_cycles(const FrozenDictObject* frozen) {
  const FrozenEntry* entries = abi::entries_of(frozen);
  for (size_t i = 0; i < abi::entry_count(frozen); ++i) {
    if (may_be_in_cycle(entries[i].value) || may_be_in_cycle(entries[i].key)) return true;
  }
  return false;
}

// Small ones need no memory for their hashes.
class Hashes {
 public:
  explicit Hashes(size_t count)
      : hashes_(count <= abi::kMostTags
                    ? few_
                    : static_cast<KeyHash*>(PyMem_Malloc(count * sizeof(KeyHash)))) {}
  ~Hashes() {
    if (hashes_ != few_) PyMem_Free(hashes_);
  }
  Hashes(const Hashes&) = delete;
  Hashes& operator=(const Hashes&) = delete;

  KeyHash* get() const { return hashes_; }

 private:
  KeyHash few_[abi::kMostTags];
  KeyHash* const hashes_;
};

}  // namespace

bool register_as(const char* abc, PyTypeObject* type) {
  // What collections.abc is made of: imported when the interpreter starts, which the other is not.
  const Strong module = PyImport_ImportModule("_collections_abc");
  const Strong base = module ? Strong(PyObject_GetAttrString(module.get(), abc)) : Strong();
  return base && Strong(PyObject_CallMethod(base.get(), "register", "O", type));
}

bool ready_frozen_dict() {
  TypePage* page = type_page(build_type);
  set_page(page);
  const bool is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
  if (!is_main && !abi::is_static_type_ready(&page->type) && !ready_type_in_main(page)) {
    return false;
  }
  if (!ready_type_here(page)) return false;
  abi::set_frozen_dict_type(&page->type);
  InterpreterRecord* record = current_record();
  if (record == nullptr) return false;
  // Twice is no harm.
  if (!record->is_registered) record->is_registered = register_as("Mapping", &page->type);
  return record->is_registered;
}

PyObject* new_frozen_dict(PyObject* dict) {
  const auto count = static_cast<size_t>(PyDict_Size(dict));
  if (count > abi::kMostFrozenEntries) {
    PyErr_Format(PyExc_OverflowError, "a FrozenDict has room for %zu items, not for %zu",
                 abi::kMostFrozenEntries, count);
    return nullptr;
  }
  PyTypeObject* type = abi::frozen_dict_type();
  const size_t bytes = abi::frozen_dict_bytes(count);
  const Hashes hashes(count);
  if (hashes.get() == nullptr) return PyErr_NoMemory();
  Strong made =
      PyUnstable_Object_GC_NewWithExtraData(type, bytes - static_cast<size_t>(type->tp_basicsize));
  if (!made) return nullptr;
  FrozenDictObject* frozen = abi::as_frozen_dict(made.get());
  Py_SET_SIZE(&frozen->head, static_cast<Py_ssize_t>(count));
  frozen->hash = -1;
  frozen->index_bits = abi::frozen_index_bits(count);
  bool is_taken;
  Py_BEGIN_CRITICAL_SECTION(dict);
  is_taken = take_items(dict, frozen, hashes.get());
  Py_END_CRITICAL_SECTION();
  if (!is_taken) {
    PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
    return nullptr;
  }
  frozen->flags = lay_out_index({hashes.get(), count}, abi::index_of(frozen)) | abi::kOnHeap;
  if (has_cycles(frozen)) PyObject_GC_Track(frozen);
  return std::move(made).release();
}

PyObject* dict_of(PyObject* frozen) {
  Strong dict = PyDict_New();
  if (!dict) return nullptr;
  const FrozenEntry* entries = abi::entries_of(abi::as_frozen_dict(frozen));
  for (size_t i = 0; i < abi::entry_count(abi::as_frozen_dict(frozen)); ++i) {
    if (PyDict_SetItem(dict.get(), entries[i].key, entries[i].value) < 0) return nullptr;
  }
  return std::move(dict).release();
}

}  // namespace tenure::graph
