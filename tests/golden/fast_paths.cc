// What the headers' fast paths compile to when they are inlined, a function each; see
// fast_paths_test.py.

#include <utility>

#include "tenure/core/abi/python.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/dict.h"
#include "tenure/handles/list.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"
#include "tenure/handles/tuple.h"
#include "tenure/pool/instance_pool.h"

namespace tenure {

namespace {

// Instances of a pool.
struct Plain {
  PyObject_HEAD
  double x;
  double y;
};
struct Node {
  PyObject_HEAD
  PyObject* next;
};
using PlainPool = pool::InstancePool<Plain, 0, pool::Kind::kPlain>;
using NodePool = pool::InstancePool<Node, 0, pool::Kind::kCollected>;

// Needs the value in a register and says nothing about memory.
void use(PyObject* object) { asm volatile("" : : "r"(object)); }

}  // namespace

extern "C" {

bool golden_has_pending(const DecrefQueue* queue) { return queue->has_pending(); }

bool golden_is_attached(const Gate* gate) { return gate->is_attached(); }

void golden_owned(PyObject* object) {
  const auto reference = Owned<>::steal(Py_NewRef(object));
  use(reference.get());
}

// The same in the C API.
void golden_owned_in_c(PyObject* object) {
  PyObject* reference = Py_NewRef(object);
  use(reference);
  Py_DECREF(reference);
}

void golden_owned_drop(Owned<>* owner) { owner->~Owned(); }

void golden_sendable_drop(Sendable<>* handle) { handle->~Sendable(); }

void golden_sendable_move(Sendable<>* to, Sendable<>* from) {
  new (to) Sendable<>(std::move(*from));
}

void golden_shared_copy(Shared<>* to, const Shared<>* from) { new (to) Shared<>(*from); }

// --- Operations of views, each with the same in the C API. ---

Py_ssize_t golden_list_size(Borrowed<List> list) { return list.size(); }
Py_ssize_t golden_list_size_in_c(PyObject* list) { return PyList_GET_SIZE(list); }

int golden_list_append(Borrowed<List> list, Borrowed<> item) { return list.append(item) ? 0 : -1; }
int golden_list_append_in_c(PyObject* list, PyObject* item) {
  return PyList_Append(list, item) < 0 ? -1 : 0;
}

PyObject* golden_getattr(Borrowed<> object, Borrowed<> name) {
  return object.getattr(name).release();
}
PyObject* golden_getattr_in_c(PyObject* object, PyObject* name) {
  return PyObject_GetAttr(object, name);
}

PyObject* golden_dict_get(Borrowed<Dict> dict, Borrowed<> key) {
  Lookup<> found = dict.get(key);
  if (!found.ok()) return nullptr;
  if (!found) return Py_None;
  return std::move(found).take().release();
}
PyObject* golden_dict_get_in_c(PyObject* dict, PyObject* key) {
  PyObject* found;
  if (PyDict_GetItemRef(dict, key, &found) < 0) return nullptr;
  if (found == nullptr) return Py_None;
  return found;
}

PyObject* golden_call(Borrowed<> function, Borrowed<> a, Borrowed<> b) {
  return function.call(a, b).release();
}
PyObject* golden_call_in_c(PyObject* function, PyObject* a, PyObject* b) {
  PyObject* stack[] = {nullptr, a, b};
  return PyObject_Vectorcall(function, stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

PyObject* golden_tuple_make(Borrowed<> a, Borrowed<> b) { return Tuple::make(a, b).release(); }
PyObject* golden_tuple_make_in_c(PyObject* a, PyObject* b) {
  PyObject* tuple = PyTuple_New(2);
  if (tuple == nullptr) return nullptr;
  PyTuple_SET_ITEM(tuple, 0, Py_NewRef(a));
  PyTuple_SET_ITEM(tuple, 1, Py_NewRef(b));
  return tuple;
}

// --- Memory of instances. ---

PyObject* golden_pool_alloc(PyTypeObject* type) { return PlainPool::tp_alloc(type, 0); }
void golden_pool_free(PyObject* object) { PlainPool::tp_free(object); }
PyObject* golden_pool_alloc_collected(PyTypeObject* type) { return NodePool::tp_alloc(type, 0); }
void golden_pool_free_collected(PyObject* object) { NodePool::tp_free(object); }

}  // extern "C"

}  // namespace tenure
