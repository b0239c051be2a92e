// What the files of FrozenDict have for each other. Not for anybody else.
//
// Thread safety: attached.
#ifndef TENURE_IMMORTAL_GRAPH_FROZEN_DICT_PARTS_H_
#define TENURE_IMMORTAL_GRAPH_FROZEN_DICT_PARTS_H_

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/graph/interpreter_record.h"

namespace tenure::graph {

// Fills in the type, which is zeroed.
void build_type(PyTypeObject* type);

// Its methods; ends with an empty one.
extern PyMethodDef frozen_dict_methods[];

// New references; null with a Python error set. Requires: `dict` is a FrozenDict.
PyObject* new_view(What what, PyObject* dict);
PyObject* new_iterator(What what, PyObject* dict);
PyObject* new_reverse_iterator(What what, PyObject* dict);

// The type that belongs into the slot of a record, made when first needed, and then registered as
// collections.abc.<abc> if that is not null. Borrowed; null with a Python error set.
PyTypeObject* type_in(PyTypeObject*& slot, PyType_Spec& spec, const char* abc);

// Makes collections.abc.<abc> take the type for one of its own. False with a Python error set.
[[nodiscard]] bool register_as(const char* abc, PyTypeObject* type);

// Of types that are made for each interpreter, and whose objects refer to a FrozenDict first.
struct RefersToDict {
  PyObject_HEAD
  PyObject* dict;
};
int traverse_dict(PyObject* self, visitproc visit, void* arg);
void dealloc_with_dict(PyObject* self);

// For tables of methods.
template <typename Function>
PyCFunction as_c_function(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_FROZEN_DICT_PARTS_H_
