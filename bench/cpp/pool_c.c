/* The C API's side of `./dev bench pool/create`: classes by hand, with CPython's allocator. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>

typedef struct {
  PyObject_HEAD
  double x;
  double y;
} Point;

typedef struct {
  PyObject_HEAD
  PyObject* held;
} Node;

static int to_double(PyObject* object, double* value) {
  if (PyFloat_CheckExact(object)) {
    *value = PyFloat_AS_DOUBLE(object);
    return 0;
  }
  *value = PyFloat_AsDouble(object);
  return *value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static PyObject* point_vectorcall(PyObject* type, PyObject* const* arguments, size_t flagged,
                                  PyObject* keywords) {
  double x;
  double y;
  if (PyVectorcall_NARGS(flagged) != 2 || keywords != NULL) {
    PyErr_SetString(PyExc_TypeError, "Point() takes two positional arguments");
    return NULL;
  }
  if (to_double(arguments[0], &x) < 0 || to_double(arguments[1], &y) < 0) return NULL;
  PyObject* const self = ((PyTypeObject*)type)->tp_alloc((PyTypeObject*)type, 0);
  if (self == NULL) return NULL;
  ((Point*)self)->x = x;
  ((Point*)self)->y = y;
  return self;
}

static void point_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyObject* node_vectorcall(PyObject* type, PyObject* const* arguments, size_t flagged,
                                 PyObject* keywords) {
  if (PyVectorcall_NARGS(flagged) != 1 || keywords != NULL) {
    PyErr_SetString(PyExc_TypeError, "Node() takes one positional argument");
    return NULL;
  }
  PyObject* const self = ((PyTypeObject*)type)->tp_alloc((PyTypeObject*)type, 0);
  if (self != NULL) ((Node*)self)->held = Py_NewRef(arguments[0]);
  return self;
}

static int node_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((Node*)self)->held);
  return 0;
}

static int node_clear(PyObject* self) {
  Py_CLEAR(((Node*)self)->held);
  return 0;
}

static void node_dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, node_dealloc);
  node_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
  Py_TRASHCAN_END;
}

static PyMemberDef point_members[] = {{"x", Py_T_DOUBLE, offsetof(Point, x), Py_READONLY, NULL},
                                      {NULL, 0, 0, 0, NULL}};
static PyMemberDef node_members[] = {
    {"held", Py_T_OBJECT_EX, offsetof(Node, held), Py_READONLY, NULL}, {NULL, 0, 0, 0, NULL}};
static PyType_Slot point_slots[] = {
    {Py_tp_dealloc, (void*)point_dealloc}, {Py_tp_members, point_members}, {0, NULL}};
static PyType_Slot node_slots[] = {{Py_tp_dealloc, (void*)node_dealloc},
                                   {Py_tp_traverse, (void*)node_traverse},
                                   {Py_tp_clear, (void*)node_clear},
                                   {Py_tp_members, node_members},
                                   {0, NULL}};
static PyType_Spec point_spec = {"pool_c.Point", sizeof(Point), 0, Py_TPFLAGS_DEFAULT, point_slots};
static PyType_Spec node_spec = {"pool_c.Node", sizeof(Node), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, node_slots};

static int add(PyObject* module, PyType_Spec* spec, vectorcallfunc construct) {
  PyObject* const type = PyType_FromModuleAndSpec(module, spec, NULL);
  if (type == NULL) return -1;
  ((PyTypeObject*)type)->tp_vectorcall = construct;
  const int failed = PyModule_AddType(module, (PyTypeObject*)type);
  Py_DECREF(type);
  return failed;
}

static int execute(PyObject* module) {
  return add(module, &point_spec, point_vectorcall) < 0 ||
                 add(module, &node_spec, node_vectorcall) < 0
             ? -1
             : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void*)execute}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "pool_c", .m_slots = slots};

PyMODINIT_FUNC PyInit_pool_c(void) { return PyModuleDef_Init(&definition); }
