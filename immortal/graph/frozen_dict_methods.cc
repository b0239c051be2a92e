// The methods of FrozenDict.

#include <utility>

#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/immortal/graph/frozen_dict_parts.h"
#include "tenure/immortal/graph/frozen_lookup.h"

namespace tenure::graph {
namespace {

using abi::as_frozen_dict;
using abi::FrozenDictObject;
using abi::FrozenEntry;

PyObject* get(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_Format(PyExc_TypeError, "get expected at %s %d argument%s, got %zd",
                 count < 1 ? "least" : "most", count < 1 ? 1 : 2, count < 1 ? "" : "s", count);
    return nullptr;
  }
  const Py_ssize_t entry = find(self, args[0]);
  if (entry >= 0) return Py_NewRef(abi::entries_of(as_frozen_dict(self))[entry].value);
  if (entry == kFailed) return nullptr;
  return Py_NewRef(count == 2 ? args[1] : Py_None);
}

template <What kWhat>
PyObject* view(PyObject* self, PyObject* /*nothing*/) {
  return new_view(kWhat, self);
}

PyObject* reversed(PyObject* self, PyObject* /*nothing*/) {
  return new_reverse_iterator(What::kKeys, self);
}

PyObject* itself(PyObject* self, PyObject* /*nothing*/) { return Py_NewRef(self); }

PyObject* from_keys(PyObject* /*type*/, PyObject* const* args, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_Format(PyExc_TypeError, "fromkeys expected at %s %d argument%s, got %zd",
                 count < 1 ? "least" : "most", count < 1 ? 1 : 2, count < 1 ? "" : "s", count);
    return nullptr;
  }
  const Strong dict = PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyDict_Type), "fromkeys",
                                          "OO", args[0], count == 2 ? args[1] : Py_None);
  return dict ? new_frozen_dict(dict.get()) : nullptr;
}

PyObject* reduce(PyObject* self, PyObject* /*nothing*/) {
  const Strong dict = dict_of(self);
  return dict ? Py_BuildValue("O(O)", Py_TYPE(self), dict.get()) : nullptr;
}

PyObject* size_of(PyObject* self, PyObject* /*nothing*/) {
  return PyLong_FromSize_t(abi::frozen_dict_bytes(abi::entry_count(as_frozen_dict(self))));
}

// A dict of copies; `is_same` stays true if every one is its original.
Strong copies_of(PyObject* self, PyObject* memo, bool& is_same) {
  const Strong module = PyImport_ImportModule("copy");
  const Strong deepcopy =
      module ? Strong(PyObject_GetAttrString(module.get(), "deepcopy")) : Strong();
  Strong copies = deepcopy ? Strong(PyDict_New()) : Strong();
  if (!copies) return {};
  const FrozenDictObject* dict = as_frozen_dict(self);
  const FrozenEntry* entries = abi::entries_of(dict);
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    const Strong key = PyObject_CallFunctionObjArgs(deepcopy.get(), entries[i].key, memo, nullptr);
    const Strong value =
        key ? PyObject_CallFunctionObjArgs(deepcopy.get(), entries[i].value, memo, nullptr)
            : nullptr;
    if (!value || PyDict_SetItem(copies.get(), key.get(), value.get()) < 0) return {};
    if (key.get() != entries[i].key || value.get() != entries[i].value) is_same = false;
  }
  return copies;
}

PyObject* deep_copy(PyObject* self, PyObject* memo) {
  bool is_same = true;
  const Strong copies = copies_of(self, memo, is_same);
  if (!copies) return nullptr;
  // On the way around a cycle it has been copied already.
  const Strong number = PyLong_FromVoidPtr(self);
  if (!number) return nullptr;
  if (PyDict_Check(memo)) {
    PyObject* known = nullptr;
    const int found = PyDict_GetItemRef(memo, number.get(), &known);
    if (found != 0) return known;
  }
  return is_same ? Py_NewRef(self) : new_frozen_dict(copies.get());
}

}  // namespace

PyMethodDef frozen_dict_methods[] = {
    {"get", as_c_function(get), METH_FASTCALL,
     "get($self, key, default=None, /)\n--\n\nThe value for the key if there is one, else "
     "default."},
    {"keys", view<What::kKeys>, METH_NOARGS,
     "keys($self, /)\n--\n\nA set-like object that gives the keys."},
    {"values", view<What::kValues>, METH_NOARGS,
     "values($self, /)\n--\n\nAn object that gives the values."},
    {"items", view<What::kItems>, METH_NOARGS,
     "items($self, /)\n--\n\nA set-like object that gives the items."},
    {"copy", itself, METH_NOARGS, "copy($self, /)\n--\n\nThe same object: it cannot change."},
    {"fromkeys", as_c_function(from_keys), METH_FASTCALL | METH_CLASS,
     "fromkeys($type, iterable, value=None, /)\n--\n\n"
     "A FrozenDict with keys from the iterable and all values the same."},
    {"__reversed__", reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nAn iterator over the keys, the last one first."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {"__reduce__", reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nHelper for pickle."},
    {"__sizeof__", size_of, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize in memory, in bytes."},
    {"__copy__", itself, METH_NOARGS, "__copy__($self, /)\n--\n\nThe same object."},
    {"__deepcopy__", deep_copy, METH_O,
     "__deepcopy__($self, memo, /)\n--\n\n"
     "A FrozenDict of copies, or the same object if they are no others."},
    {}};

}  // namespace tenure::graph
