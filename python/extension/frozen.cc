// tenure.FrozenDict, which immortal/graph makes, and what json needs for it.

#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {

PyObject* json_default(PyObject*, PyObject* object) {
  if (abi::is_frozen_dict(object)) return graph::dict_of(object);
  PyErr_Format(PyExc_TypeError, "Object of type %s is not JSON serializable",
               Py_TYPE(object)->tp_name);
  return nullptr;
}

bool add_frozen_dict(PyObject* module) {
  return graph::ready_frozen_dict() && PyModule_AddType(module, abi::frozen_dict_type()) == 0;
}

}  // namespace tenure::extension
