#include "tenure/immortal/image/actions.h"

#include <marshal.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tenure/core/strong.h"

namespace tenure::image {
namespace {

// The last version of marshal that writes no references: those depend on who else holds an object.
constexpr int kMarshalWithoutReferences = 2;

PyObject* sorted_elements(PyObject* set) {
  Strong list = PySequence_List(set);
  if (!list) return nullptr;
  std::vector<std::pair<std::string, PyObject*>> elements;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* element = PyList_GET_ITEM(list.get(), i);
    // A frozenset inside a frozenset would be written in its own, random order.
    Strong plain = PyFrozenSet_CheckExact(element) ? Strong(sorted_elements(element))
                                                   : Strong(Py_NewRef(element));
    if (!plain) return nullptr;
    Strong key = PyMarshal_WriteObjectToString(plain.get(), kMarshalWithoutReferences);
    if (!key) return nullptr;
    elements.emplace_back(
        std::string(PyBytes_AS_STRING(key.get()), static_cast<size_t>(PyBytes_GET_SIZE(key.get()))),
        element);
  }
  std::sort(elements.begin(), elements.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Strong tuple = PyTuple_New(static_cast<Py_ssize_t>(elements.size()));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < elements.size(); ++i) {
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), Py_NewRef(elements[i].second));
  }
  return std::move(tuple).release();
}

}  // namespace

std::optional<Action> action_for(PyObject* object) {
  if (PyFrozenSet_CheckExact(object)) return Action::kFrozenSet;
  if (PySlice_Check(object)) return Action::kSlice;
  return std::nullopt;
}

PyObject* action_argument(Action action, PyObject* object) {
  if (action == Action::kFrozenSet) return sorted_elements(object);
  const auto* slice = reinterpret_cast<PySliceObject*>(object);
  return PyTuple_Pack(3, slice->start, slice->stop, slice->step);
}

PyObject* run_action(Action action, PyObject* argument) {
  switch (action) {
    case Action::kFrozenSet:
      return PyFrozenSet_New(argument);
    case Action::kSlice:
      if (PyTuple_GET_SIZE(argument) != 3) return nullptr;
      return PySlice_New(PyTuple_GET_ITEM(argument, 0), PyTuple_GET_ITEM(argument, 1),
                         PyTuple_GET_ITEM(argument, 2));
  }
  return nullptr;
}

}  // namespace tenure::image
