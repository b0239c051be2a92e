#include "tenure/immortal/image/actions.h"

#include <marshal.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tenure/core/strong.h"
#include "tenure/immortal/image/dates.h"

namespace tenure::image {
namespace {

// The last version of marshal that writes no references: those depend on who else holds an object.
constexpr int kMarshalWithoutReferences = 2;

PyObject* sorted_elements(PyObject* set);

// What elements are put in order by: the same in every process. False with a Python error.
bool sort_key(PyObject* element, std::string& key) {
  // A frozenset inside a frozenset would be written in its own, random order.
  Strong plain = PyFrozenSet_CheckExact(element) ? Strong(sorted_elements(element))
                                                 : Strong(Py_NewRef(element));
  if (!plain) return false;
  Strong bytes = PyMarshal_WriteObjectToString(plain.get(), kMarshalWithoutReferences);
  if (!bytes && PyErr_ExceptionMatches(PyExc_ValueError)) {
    // Marshal knows the types of constants only.
    PyErr_Clear();
    const Strong text = PyObject_Repr(plain.get());
    if (text) bytes = PyUnicode_AsEncodedString(text.get(), "utf-8", "surrogatepass");
  }
  if (!bytes) return false;
  key.assign(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())));
  return true;
}

PyObject* sorted_elements(PyObject* set) {
  if (Py_EnterRecursiveCall(" while putting the elements of a set in order")) return nullptr;
  std::vector<std::pair<std::string, PyObject*>> elements;
  Strong list = PySequence_List(set);
  bool good = static_cast<bool>(list);
  for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* element = PyList_GET_ITEM(list.get(), i);
    elements.emplace_back(std::string(), element);
    good = sort_key(element, elements.back().first);
  }
  Py_LeaveRecursiveCall();
  if (!good) return nullptr;
  std::sort(elements.begin(), elements.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Strong tuple = PyTuple_New(static_cast<Py_ssize_t>(elements.size()));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < elements.size(); ++i) {
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), Py_NewRef(elements[i].second));
  }
  return std::move(tuple).release();
}

// Its keys and values in turns. Requires: no other thread changes it.
PyObject* locked_items(PyObject* dict) {
  const Py_ssize_t size = PyDict_GET_SIZE(dict);
  Strong tuple = PyTuple_New(2 * size);
  if (!tuple) return nullptr;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; i < size && PyDict_Next(dict, &at, &key, &value); ++i) {
    PyTuple_SET_ITEM(tuple.get(), 2 * i, Py_NewRef(key));
    PyTuple_SET_ITEM(tuple.get(), 2 * i + 1, Py_NewRef(value));
  }
  return std::move(tuple).release();
}

PyObject* flat_items(PyObject* dict) {
  PyObject* items;
  Py_BEGIN_CRITICAL_SECTION(dict);
  items = locked_items(dict);
  Py_END_CRITICAL_SECTION();
  return items;
}

// start, stop and step.
PyObject* range_argument(PyObject* range) {
  Strong tuple = PyTuple_New(3);
  if (!tuple) return nullptr;
  Py_ssize_t next = 0;
  for (const char* name : {"start", "stop", "step"}) {
    PyObject* part = PyObject_GetAttrString(range, name);
    if (part == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), next++, part);
  }
  return std::move(tuple).release();
}

}  // namespace

std::optional<Action> action_for(PyObject* object) {
  if (PyFrozenSet_CheckExact(object)) return Action::kFrozenSet;
  if (PySlice_Check(object)) return Action::kSlice;
  if (PyRange_Check(object)) return Action::kRange;
  return date_action_for(object);
}

bool is_filled_later(Action action) {
  return action == Action::kList || action == Action::kDict || action == Action::kSet;
}

PyObject* action_argument(Action action, PyObject* object) {
  switch (action) {
    case Action::kFrozenSet:
    case Action::kSet:
      return sorted_elements(object);
    case Action::kSlice: {
      const auto* slice = reinterpret_cast<PySliceObject*>(object);
      return PyTuple_Pack(3, slice->start, slice->stop, slice->step);
    }
    case Action::kRange:
      return range_argument(object);
    case Action::kList:
      return PyList_AsTuple(object);
    case Action::kDict:
      return flat_items(object);
    default:
      return date_argument(action, object);
  }
}

bool expect_action(Action action) { return !is_date_action(action) || import_datetime(); }

PyObject* run_action(Action action, PyObject* argument) {
  switch (action) {
    case Action::kFrozenSet:
      return PyFrozenSet_New(argument);
    case Action::kSlice:
      if (PyTuple_GET_SIZE(argument) != 3) return nullptr;
      return PySlice_New(PyTuple_GET_ITEM(argument, 0), PyTuple_GET_ITEM(argument, 1),
                         PyTuple_GET_ITEM(argument, 2));
    case Action::kRange:
      if (PyTuple_GET_SIZE(argument) != 3) return nullptr;
      return PyObject_Call(reinterpret_cast<PyObject*>(&PyRange_Type), argument, nullptr);
    case Action::kList:
      return PyList_New(0);
    case Action::kDict:
      return PyTuple_GET_SIZE(argument) % 2 == 0 ? PyDict_New() : nullptr;
    case Action::kSet:
      return PySet_New(nullptr);
    default:
      return make_date(action, argument);
  }
}

bool fill_later(Action action, PyObject* object, PyObject* argument) {
  if (action == Action::kList) return PyList_SetSlice(object, 0, 0, argument) == 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(argument); ++i) {
    PyObject* item = PyTuple_GET_ITEM(argument, i);
    if (action == Action::kSet) {
      if (PySet_Add(object, item) < 0) return false;
    } else if (PyDict_SetItem(object, item, PyTuple_GET_ITEM(argument, ++i)) < 0) {
      return false;
    }
  }
  return true;
}

}  // namespace tenure::image
