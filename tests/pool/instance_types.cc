#include "tenure/tests/pool/instance_types.h"

#include <cstddef>
#include <vector>

namespace tenure::testing {
namespace {

void point_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  if ((Py_TYPE(self)->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<Node*>(self)->next);
  return 0;
}

int node_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<Node*>(self)->next);
  return 0;
}

void node_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, node_dealloc);
  node_clear(self);
  type->tp_free(self);
  if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) Py_DECREF(type);
  Py_TRASHCAN_END;
}

bool has_dict(const PyTypeObject* type) { return (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0; }

void managed_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  PyObject_ClearWeakRefs(self);
  node_clear(self);
  if (has_dict(type)) PyObject_ClearManagedDict(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int managed_traverse(PyObject* self, visitproc visit, void* arg) {
  if (const int stop = node_traverse(self, visit, arg)) return stop;
  return has_dict(Py_TYPE(self)) ? PyObject_VisitManagedDict(self, visit, arg) : 0;
}

static_assert(offsetof(Node, next) == offsetof(Managed, next));

PyMemberDef node_members[] = {{"next", Py_T_OBJECT_EX, offsetof(Node, next), 0, nullptr}, {}};
PyMemberDef point_members[] = {{"x", Py_T_DOUBLE, offsetof(Point, x), 0, nullptr},
                               {"y", Py_T_DOUBLE, offsetof(Point, y), 0, nullptr},
                               {}};
PyGetSetDef managed_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

Strong type_of(const char* name, size_t size, unsigned int flags, std::vector<PyType_Slot> slots,
               const std::vector<PyType_Slot>& pool, PyObject* base = nullptr) {
  slots.insert(slots.end(), pool.begin(), pool.end());
  slots.push_back({0, nullptr});
  PyType_Spec spec = {name, static_cast<int>(size), 0,
                      static_cast<unsigned int>(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE) | flags,
                      slots.data()};
  Strong type = PyType_FromSpecWithBases(&spec, base);
  if (!type) Py_FatalError("test: no type");
  return type;
}

template <typename F>
PyType_Slot slot(int number, F* function) {
  return {number, reinterpret_cast<void*>(function)};
}

}  // namespace

Strong new_point_type(bool pooled) {
  std::vector<PyType_Slot> pool;
  if (pooled) pool = {TENURE_INSTANCE_POOL_SLOTS(Point)};
  return type_of("tests.Point", sizeof(Point), 0,
                 {slot(Py_tp_new, &PyType_GenericNew),
                  slot(Py_tp_dealloc, &point_dealloc),
                  {Py_tp_members, point_members}},
                 pool);
}

Strong new_node_type(bool pooled) {
  std::vector<PyType_Slot> pool;
  if (pooled) pool = {TENURE_INSTANCE_POOL_SLOTS(Node)};
  return type_of("tests.Node", sizeof(Node), Py_TPFLAGS_HAVE_GC,
                 {slot(Py_tp_new, &PyType_GenericNew),
                  slot(Py_tp_dealloc, &node_dealloc),
                  slot(Py_tp_traverse, &node_traverse),
                  slot(Py_tp_clear, &node_clear),
                  {Py_tp_members, node_members}},
                 pool);
}

Strong new_managed_type(bool with_dict) {
  std::vector<PyType_Slot> slots = {slot(Py_tp_new, &PyType_GenericNew),
                                    slot(Py_tp_dealloc, &managed_dealloc),
                                    slot(Py_tp_traverse, &managed_traverse),
                                    slot(Py_tp_clear, &node_clear),
                                    {Py_tp_members, node_members}};
  if (with_dict) slots.push_back({Py_tp_getset, managed_attributes});
  return type_of("tests.Managed", sizeof(Managed),
                 static_cast<unsigned int>(Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MANAGED_WEAKREF |
                                           (with_dict ? Py_TPFLAGS_MANAGED_DICT : 0)),
                 slots, {TENURE_INSTANCE_POOL_SLOTS(Managed)});
}

Strong new_derived_type(PyObject* base, int more) {
  auto* const type = reinterpret_cast<PyTypeObject*>(base);
  std::vector<PyType_Slot> slots = {slot(Py_tp_dealloc, type->tp_dealloc)};
  if (type->tp_traverse != nullptr) {
    slots.push_back(slot(Py_tp_traverse, type->tp_traverse));
    slots.push_back(slot(Py_tp_clear, type->tp_clear));
  }
  return type_of("tests.Derived", type->tp_basicsize + more,
                 static_cast<unsigned int>(type->tp_flags & Py_TPFLAGS_HAVE_GC), slots, {}, base);
}

PyTypeObject* static_node_type() {
  static PyTypeObject type = [] {
    PyTypeObject made = {PyVarObject_HEAD_INIT(nullptr, 0)};
    made.tp_name = "tests.StaticNode";
    made.tp_basicsize = sizeof(Node);
    made.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
    made.tp_new = &PyType_GenericNew;
    made.tp_alloc = &NodePool::tp_alloc;
    made.tp_free = &NodePool::tp_free;
    made.tp_dealloc = &node_dealloc;
    made.tp_traverse = &node_traverse;
    made.tp_clear = &node_clear;
    made.tp_members = node_members;
    return made;
  }();
  if (PyType_Ready(&type) < 0) Py_FatalError("test: no type");
  return &type;
}

Strong make(PyObject* type) {
  Strong made = PyObject_CallNoArgs(type);
  if (!made) {
    PyErr_Print();
    Py_FatalError("test: no instance");
  }
  return made;
}

}  // namespace tenure::testing
