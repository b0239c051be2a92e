// Iterators over FrozenDicts, forward and backward.

#include <atomic>
#include <utility>

#include "tenure/core/abi/dicts.h"
#include "tenure/immortal/graph/frozen_dict_parts.h"

namespace tenure::graph {
namespace {

using abi::as_frozen_dict;
using abi::FrozenEntry;

struct Iterator {
  RefersToDict head;
  Py_ssize_t done;  // how many entries were given
  PyObject* pair;   // of items: what was given last, to be given again
};

Iterator* cast(PyObject* self) { return reinterpret_cast<Iterator*>(self); }

// Relaxed: threads that share an iterator may be given an entry twice, but none that is not there.
std::atomic_ref<Py_ssize_t> done_of(PyObject* self) {
  return std::atomic_ref<Py_ssize_t>(cast(self)->done);
}

// The next entry; null if there is none.
template <bool kReverse>
const FrozenEntry* next_entry(PyObject* self) {
  const abi::FrozenDictObject* dict = as_frozen_dict(cast(self)->head.dict);
  const Py_ssize_t done = done_of(self).load(std::memory_order_relaxed);
  const auto count = static_cast<Py_ssize_t>(abi::entry_count(dict));
  if (done >= count) return nullptr;
  done_of(self).store(done + 1, std::memory_order_relaxed);
  return abi::entries_of(dict) + (kReverse ? count - 1 - done : done);
}

template <What kWhat, bool kReverse>
PyObject* next(PyObject* self) {
  const FrozenEntry* entry = next_entry<kReverse>(self);
  if (entry == nullptr) return nullptr;
  if constexpr (kWhat == What::kKeys) return Py_NewRef(entry->key);
  if constexpr (kWhat == What::kValues) return Py_NewRef(entry->value);
  if constexpr (kWhat == What::kItems) return abi::pair(cast(self)->pair, entry->key, entry->value);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(cast(self)->pair);
  return traverse_dict(self, visit, arg);
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(cast(self)->pair);
  dealloc_with_dict(self);
}

PyObject* length_hint(PyObject* self, PyObject* /*nothing*/) {
  const Py_ssize_t count = Py_SIZE(cast(self)->head.dict);
  return PyLong_FromSsize_t(count - done_of(self).load(std::memory_order_relaxed));
}

template <What kWhat, bool kReverse>
PyObject* reduce(PyObject* self, PyObject* /*nothing*/) {
  // Of what is left, without going on: somebody else does that.
  const Strong rest = kReverse ? new_reverse_iterator(kWhat, cast(self)->head.dict)
                               : new_iterator(kWhat, cast(self)->head.dict);
  if (!rest) return nullptr;
  cast(rest.get())->done = done_of(self).load(std::memory_order_relaxed);
  const Strong list = PySequence_List(rest.get());
  const Strong builtins = list ? Strong(PyImport_ImportModule("builtins")) : Strong();
  const Strong iter = builtins ? Strong(PyObject_GetAttrString(builtins.get(), "iter")) : Strong();
  return iter ? Py_BuildValue("O(O)", iter.get(), list.get()) : nullptr;
}

constexpr const char* kNames[] = {"tenure.FrozenDict_keyiterator",
                                  "tenure.FrozenDict_valueiterator",
                                  "tenure.FrozenDict_itemiterator"};
constexpr const char* kReverseNames[] = {"tenure.FrozenDict_reversekeyiterator",
                                         "tenure.FrozenDict_reversevalueiterator",
                                         "tenure.FrozenDict_reverseitemiterator"};

template <What kWhat, bool kReverse>
PyType_Spec& spec_of() {
  static PyMethodDef methods[] = {{"__length_hint__", length_hint, METH_NOARGS,
                                   "__length_hint__($self, /)\n--\n\nHow many are left."},
                                  {"__reduce__", reduce<kWhat, kReverse>, METH_NOARGS,
                                   "__reduce__($self, /)\n--\n\nHelper for pickle."},
                                  {}};
  static PyType_Slot slots[] = {{Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                                {Py_tp_iternext, reinterpret_cast<void*>(next<kWhat, kReverse>)},
                                {Py_tp_methods, methods},
                                {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                                {}};
  static PyType_Spec spec = {(kReverse ? kReverseNames : kNames)[static_cast<size_t>(kWhat)],
                             sizeof(Iterator), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                                 Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             slots};
  return spec;
}

PyObject* make(PyTypeObject* type, What what, PyObject* dict) {
  if (type == nullptr) return nullptr;
  PyObject* pair = nullptr;
  if (what == What::kItems) {
    pair = PyTuple_Pack(2, Py_None, Py_None);
    if (pair == nullptr) return nullptr;
  }
  auto* self = PyObject_GC_New(Iterator, type);
  if (self == nullptr) {
    Py_XDECREF(pair);
    return nullptr;
  }
  self->head.dict = Py_NewRef(dict);
  self->done = 0;
  self->pair = pair;
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

template <bool kReverse>
PyObject* make(What what, PyObject* dict) {
  InterpreterRecord* record = current_record();
  if (record == nullptr) return nullptr;
  PyTypeObject*& slot =
      (kReverse ? record->reverse_iterators : record->iterators)[static_cast<size_t>(what)];
  PyType_Spec& spec = what == What::kKeys     ? spec_of<What::kKeys, kReverse>()
                      : what == What::kValues ? spec_of<What::kValues, kReverse>()
                                              : spec_of<What::kItems, kReverse>();
  return make(type_in(slot, spec, nullptr), what, dict);
}

}  // namespace

PyObject* new_iterator(What what, PyObject* dict) { return make<false>(what, dict); }

PyObject* new_reverse_iterator(What what, PyObject* dict) { return make<true>(what, dict); }

}  // namespace tenure::graph
