// Views of FrozenDicts: keys(), values(), items().

#include <atomic>
#include <cstring>
#include <utility>

#include "tenure/immortal/graph/frozen_dict_parts.h"
#include "tenure/immortal/graph/frozen_lookup.h"

namespace tenure::graph {
namespace {

using abi::as_frozen_dict;

PyObject* dict_under(PyObject* view) { return reinterpret_cast<RefersToDict*>(view)->dict; }

Py_ssize_t length(PyObject* self) { return Py_SIZE(dict_under(self)); }

template <What kWhat>
PyObject* iterate(PyObject* self) {
  return new_iterator(kWhat, dict_under(self));
}

template <What kWhat>
PyObject* reversed(PyObject* self, PyObject* /*nothing*/) {
  return new_reverse_iterator(kWhat, dict_under(self));
}

PyObject* mapping(PyObject* self, void* /*closure*/) { return Py_NewRef(dict_under(self)); }

int contains_key(PyObject* self, PyObject* key) {
  const Py_ssize_t entry = find(dict_under(self), key);
  return entry >= 0 ? 1 : entry == kNotFound ? 0 : -1;
}

int contains_item(PyObject* self, PyObject* item) {
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) return 0;
  const Py_ssize_t entry = find(dict_under(self), PyTuple_GET_ITEM(item, 0));
  if (entry < 0) return entry == kNotFound ? 0 : -1;
  PyObject* value = abi::entries_of(as_frozen_dict(dict_under(self)))[entry].value;
  return PyObject_RichCompareBool(value, PyTuple_GET_ITEM(item, 1), Py_EQ);
}

// "FrozenDict_keys([...])", as dict_keys([...]).
PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("...") : nullptr;
  const Strong list = PySequence_List(self);
  PyObject* text = list ? PyUnicode_FromFormat(
                              "%s(%R)", std::strrchr(Py_TYPE(self)->tp_name, '.') + 1, list.get())
                        : nullptr;
  Py_ReprLeave(self);
  return text;
}

// Whether it is a view of ours that is like a set; without an error if that cannot be told.
bool is_set_view(PyObject* object) {
  const getiterfunc iter = Py_TYPE(object)->tp_iter;
  return iter == iterate<What::kKeys> || iter == iterate<What::kItems>;
}

// 1, 0, or -1 with a Python error set.
int all_are_in(PyObject* some, PyObject* container) {
  const Strong iterator = PyObject_GetIter(some);
  if (!iterator) return -1;
  while (const Strong element = PyIter_Next(iterator.get())) {
    const int is_in = PySequence_Contains(container, element.get());
    if (is_in <= 0) return is_in;
  }
  return PyErr_Occurred() == nullptr ? 1 : -1;
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  if (!PyAnySet_Check(other) && !PyDictViewSet_Check(other) && !is_set_view(other)) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  const Py_ssize_t own = PyObject_Size(self);
  const Py_ssize_t others = PyObject_Size(other);
  if (own < 0 || others < 0) return nullptr;
  bool may_be;
  switch (op) {
    case Py_EQ:
    case Py_NE:
      may_be = own == others;
      break;
    case Py_LT:
      may_be = own < others;
      break;
    case Py_LE:
      may_be = own <= others;
      break;
    case Py_GT:
      may_be = own > others;
      break;
    default:
      may_be = own >= others;
  }
  const bool is_over = op == Py_GT || op == Py_GE;
  const int holds = !may_be ? 0 : is_over ? all_are_in(other, self) : all_are_in(self, other);
  return holds < 0 ? nullptr : PyBool_FromLong((holds == 1) == (op != Py_NE));
}

// set(left), changed by a method of set that takes the right operand.
PyObject* changed_set(PyObject* left, PyObject* right, const char* method) {
  Strong set = PySet_New(left);
  if (!set || !Strong(PyObject_CallMethod(set.get(), method, "O", right))) return nullptr;
  return std::move(set).release();
}

PyObject* subtract(PyObject* left, PyObject* right) {
  return changed_set(left, right, "difference_update");
}

PyObject* unite(PyObject* left, PyObject* right) { return changed_set(left, right, "update"); }

PyObject* exclusive(PyObject* left, PyObject* right) {
  return changed_set(left, right, "symmetric_difference_update");
}

// Asks the view, whose items may be such as no set can hold.
PyObject* intersect(PyObject* left, PyObject* right) {
  PyObject* view = is_set_view(left) ? left : right;
  const Strong iterator = PyObject_GetIter(view == left ? right : left);
  Strong set = iterator ? Strong(PySet_New(nullptr)) : Strong();
  if (!set) return nullptr;
  while (const Strong element = PyIter_Next(iterator.get())) {
    const int is_in = PySequence_Contains(view, element.get());
    if (is_in < 0 || (is_in > 0 && PySet_Add(set.get(), element.get()) < 0)) return nullptr;
  }
  return PyErr_Occurred() == nullptr ? std::move(set).release() : nullptr;
}

PyObject* is_disjoint(PyObject* self, PyObject* other) {
  if (self == other) return PyBool_FromLong(length(self) == 0);
  const Strong iterator = PyObject_GetIter(other);
  if (!iterator) return nullptr;
  while (const Strong element = PyIter_Next(iterator.get())) {
    const int is_in = PySequence_Contains(self, element.get());
    if (is_in < 0) return nullptr;
    if (is_in > 0) Py_RETURN_FALSE;
  }
  return PyErr_Occurred() == nullptr ? Py_NewRef(Py_True) : nullptr;
}

template <What kWhat>
PyType_Spec& spec_of() {
  constexpr bool kLikeSet = kWhat != What::kValues;
  static PyMethodDef methods[] = {
      {"__reversed__", reversed<kWhat>, METH_NOARGS,
       "__reversed__($self, /)\n--\n\nAn iterator that gives the last one first."},
      kLikeSet ? PyMethodDef{"isdisjoint", is_disjoint, METH_O,
                             "isdisjoint($self, other, /)\n--\n\n"
                             "True if the view and the iterable have nothing in common."}
               : PyMethodDef{},
      {}};
  static PyGetSetDef attributes[] = {
      {"mapping", mapping, nullptr, "The FrozenDict that this is a view of.", nullptr}, {}};
  // The first are what values have, too.
  static PyType_Slot slots[] = {
      {Py_tp_iter, reinterpret_cast<void*>(iterate<kWhat>)},
      {Py_tp_repr, reinterpret_cast<void*>(repr)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse_dict)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_with_dict)},
      {Py_sq_length, reinterpret_cast<void*>(length)},
      {kLikeSet ? Py_tp_richcompare : 0, reinterpret_cast<void*>(compare)},
      {Py_sq_contains,
       reinterpret_cast<void*>(kWhat == What::kKeys ? contains_key : contains_item)},
      {Py_nb_subtract, reinterpret_cast<void*>(subtract)},
      {Py_nb_and, reinterpret_cast<void*>(intersect)},
      {Py_nb_or, reinterpret_cast<void*>(unite)},
      {Py_nb_xor, reinterpret_cast<void*>(exclusive)},
      {}};
  static constexpr const char* kNames[] = {"tenure.FrozenDict_keys", "tenure.FrozenDict_values",
                                           "tenure.FrozenDict_items"};
  static PyType_Spec spec = {kNames[static_cast<size_t>(kWhat)], sizeof(RefersToDict), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                                 Py_TPFLAGS_DISALLOW_INSTANTIATION,
                             slots};
  return spec;
}

PyTypeObject* view_type(What what) {
  InterpreterRecord* record = current_record();
  if (record == nullptr) return nullptr;
  PyTypeObject*& slot = record->views[static_cast<size_t>(what)];
  switch (what) {
    case What::kKeys:
      return type_in(slot, spec_of<What::kKeys>(), "KeysView");
    case What::kValues:
      return type_in(slot, spec_of<What::kValues>(), "ValuesView");
    case What::kItems:
      return type_in(slot, spec_of<What::kItems>(), "ItemsView");
  }
  return nullptr;
}

}  // namespace

PyTypeObject* type_in(PyTypeObject*& slot, PyType_Spec& spec, const char* abc) {
  const std::atomic_ref<PyTypeObject*> kept(slot);
  PyTypeObject* known = kept.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  const Strong type = PyType_FromSpec(&spec);
  auto* made = reinterpret_cast<PyTypeObject*>(type.get());
  if (made == nullptr || (abc != nullptr && !register_as(abc, made))) return nullptr;
  // Somebody else may have been faster, if only a destructor that ran meanwhile.
  if (!kept.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return known;
  Py_INCREF(made);
  return made;
}

int traverse_dict(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(dict_under(self));
  return 0;
}

void dealloc_with_dict(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_DECREF(dict_under(self));
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyObject* new_view(What what, PyObject* dict) {
  PyTypeObject* type = view_type(what);
  if (type == nullptr) return nullptr;
  auto* self = PyObject_GC_New(RefersToDict, type);
  if (self == nullptr) return nullptr;
  self->dict = Py_NewRef(dict);
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

}  // namespace tenure::graph
