// The slots of FrozenDict's type.

#include <atomic>
#include <utility>

#include "tenure/core/abi/dicts.h"
#include "tenure/core/abi/static_type.h"
#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/immortal/graph/frozen_dict_parts.h"
#include "tenure/immortal/graph/frozen_lookup.h"

namespace tenure::graph {
namespace {

using abi::as_frozen_dict;
using abi::FrozenDictObject;
using abi::FrozenEntry;

std::atomic_ref<PyObject*> fallback_of(PyObject* self) {
  return std::atomic_ref<PyObject*>(as_frozen_dict(self)->fallback);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    Py_VISIT(entries[i].key);
    Py_VISIT(entries[i].value);
  }
  Py_VISIT(fallback_of(self).load(std::memory_order_acquire));
  return 0;
}

// There is nothing for the collector to clear: what was made before the mapping cannot refer to it
// unless it can change, and then it is what the collector clears.
void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, dealloc) const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  Py_XDECREF(fallback_of(self).load(std::memory_order_acquire));
  for (size_t i = abi::entry_count(dict); i > 0; --i) {
    Py_XDECREF(entries[i - 1].value);
    Py_XDECREF(entries[i - 1].key);
  }
  PyObject_GC_Del(self);
  Py_TRASHCAN_END
}

PyObject* make(PyTypeObject* /*type*/, PyObject* args, PyObject* keywords) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (count > 1) {
    PyErr_Format(PyExc_TypeError, "FrozenDict expected at most 1 argument, got %zd", count);
    return nullptr;
  }
  PyObject* source = count == 0 ? nullptr : PyTuple_GET_ITEM(args, 0);
  if (keywords == nullptr || PyDict_GET_SIZE(keywords) == 0) {
    if (source != nullptr && abi::is_frozen_dict(source)) return Py_NewRef(source);
    if (source != nullptr && abi::is_exactly_any_dict(source)) return new_frozen_dict(source);
  }
  const Strong dict = PyObject_Call(reinterpret_cast<PyObject*>(&PyDict_Type), args, keywords);
  return dict ? new_frozen_dict(dict.get()) : nullptr;
}

Py_ssize_t length(PyObject* self) { return Py_SIZE(self); }

PyObject* subscript(PyObject* self, PyObject* key) {
  const Py_ssize_t entry = find(self, key);
  if (entry >= 0) [[likely]] {
    return Py_NewRef(abi::entries_of(as_frozen_dict(self))[entry].value);
  }
  if (entry == kNotFound) {
    // A tuple for itself would be taken for the arguments.
    if (const Strong arguments = PyTuple_Pack(1, key)) {
      PyErr_SetObject(PyExc_KeyError, arguments.get());
    }
  }
  return nullptr;
}

int contains(PyObject* self, PyObject* key) {
  const Py_ssize_t entry = find(self, key);
  return entry >= 0 ? 1 : entry == kNotFound ? 0 : -1;
}

PyObject* iterate(PyObject* self) { return new_iterator(What::kKeys, self); }

// The value that another mapping has for a key: as PyDict_GetItemRef().
int item_of(PyObject* mapping, PyObject* key, PyObject** value) {
  if (!abi::is_frozen_dict(mapping)) return PyDict_GetItemRef(mapping, key, value);
  const Py_ssize_t entry = find(mapping, key);
  *value = entry < 0 ? nullptr : Py_NewRef(abi::entries_of(as_frozen_dict(mapping))[entry].value);
  return entry >= 0 ? 1 : entry == kNotFound ? 0 : -1;
}

// 1, 0, or -1 with a Python error set.
int equal(PyObject* self, PyObject* other) {
  if (self == other) return 1;
  if (PyObject_Size(other) != Py_SIZE(self)) return 0;
  const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    PyObject* found = nullptr;
    const int has = item_of(other, entries[i].key, &found);
    if (has <= 0) return has;
    const Strong value = found;
    const int same = PyObject_RichCompareBool(entries[i].value, value.get(), Py_EQ);
    if (same <= 0) return same;
  }
  return 1;
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !(abi::is_frozen_dict(other) || abi::is_any_dict(other))) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  const int same = equal(self, other);
  return same < 0 ? nullptr : PyBool_FromLong((same == 1) == (op == Py_EQ));
}

// The hash of frozenset(items): what frozendict has (PEP 814).
Py_hash_t hash_of_items(PyObject* self) {
  const Strong set = PyFrozenSet_New(nullptr);
  if (!set) return -1;
  const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    const Strong item = PyTuple_Pack(2, entries[i].key, entries[i].value);
    // Asked for here for its error, which says what cannot be hashed and not that it is in a set.
    if (!item || PyObject_Hash(item.get()) == -1 || PySet_Add(set.get(), item.get()) < 0) return -1;
  }
  return PyObject_Hash(set.get());
}

Py_hash_t hash(PyObject* self) {
  // Relaxed: all threads that store it store the same, and it publishes nothing.
  const std::atomic_ref<Py_hash_t> kept(as_frozen_dict(self)->hash);
  Py_hash_t known = kept.load(std::memory_order_relaxed);
  if (known == -1) {
    if (Py_EnterRecursiveCall(" while hashing a FrozenDict") != 0) return -1;
    known = hash_of_items(self);
    Py_LeaveRecursiveCall();
    if (known != -1) kept.store(known, std::memory_order_relaxed);
  }
  return known;
}

PyObject* repr_of_items(PyObject* self) {
  const Strong parts = PyList_New(0);
  const Strong comma = PyUnicode_FromString(", ");
  if (!parts || !comma) return nullptr;
  const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    const Strong part = PyUnicode_FromFormat("%R: %R", entries[i].key, entries[i].value);
    if (!part || PyList_Append(parts.get(), part.get()) < 0) return nullptr;
  }
  const Strong inside = PyUnicode_Join(comma.get(), parts.get());
  return inside ? PyUnicode_FromFormat("{%U}", inside.get()) : nullptr;
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("{...}") : nullptr;
  PyObject* text = repr_of_items(self);
  Py_ReprLeave(self);
  return text;
}

bool is_mapping(PyObject* object) {
  return PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_MAPPING) != 0;
}

// The items of one, then of the other, as a dict.
Strong merged(PyObject* left, PyObject* right) {
  Strong dict = abi::is_frozen_dict(left) ? dict_of(left) : PyDict_New();
  if (!dict || (!abi::is_frozen_dict(left) && PyDict_Update(dict.get(), left) < 0) ||
      PyDict_Update(dict.get(), right) < 0) {
    return {};
  }
  return dict;
}

// The left operand says what comes out, as for dict.
PyObject* unite(PyObject* left, PyObject* right) {
  if (!is_mapping(left) || !is_mapping(right)) Py_RETURN_NOTIMPLEMENTED;
  if (!abi::is_frozen_dict(left) && !abi::is_any_dict(left)) Py_RETURN_NOTIMPLEMENTED;
  Strong dict = merged(left, right);
  if (!dict) return nullptr;
  if (abi::is_frozen_dict(left)) return new_frozen_dict(dict.get());
  if (PyDict_Check(left)) return std::move(dict).release();
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(abi::frozendict_type()), dict.get());
}

PyMappingMethods as_mapping = {length, subscript, nullptr};

PySequenceMethods as_sequence = [] {
  PySequenceMethods methods{};
  methods.sq_contains = contains;
  return methods;
}();

PyNumberMethods as_number = [] {
  PyNumberMethods methods{};
  methods.nb_or = unite;
  return methods;
}();

constexpr char kDoc[] =
    "FrozenDict(mapping_or_iterable=(), /, **kwargs)\n--\n\n"
    "An immutable mapping, hashable if its values are: as a dict that cannot change.\n\n"
    "Takes what dict() takes. Equal to a dict with the same items.";

}  // namespace

void build_type(PyTypeObject* type) {
  static const PyTypeObject head = {PyVarObject_HEAD_INIT(nullptr, 0)};
  *type = head;
  type->tp_name = "tenure.FrozenDict";
  type->tp_basicsize = sizeof(FrozenDictObject);
  type->tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING |
                   Py_TPFLAGS_IMMUTABLETYPE | abi::kMatchSelf;
  type->tp_doc = kDoc;
  type->tp_new = make;
  type->tp_free = PyObject_GC_Del;
  type->tp_dealloc = dealloc;
  type->tp_traverse = traverse;
  type->tp_methods = frozen_dict_methods;
  type->tp_as_mapping = &as_mapping;
  type->tp_as_sequence = &as_sequence;
  type->tp_as_number = &as_number;
  type->tp_iter = iterate;
  type->tp_richcompare = compare;
  type->tp_hash = hash;
  type->tp_repr = repr;
}

}  // namespace tenure::graph
