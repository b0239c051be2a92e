/* The C API's side of `./dev bench call`: what Tenure has to come up to, so as fast as it can be
 * written by hand without leaving out a check.
 *
 * nothing(), one(x, /), three(x, y, z), add(x: float, y: float, z: float) and Vector as all sides
 * have them; and nothing_* and one_* in each of C's calling conventions. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* How many parameters each takes. */
enum { kThree = 3, kAdd = 3, kVector = 2, kScale = 1, kMostParameters = 3 };

typedef struct Signature {
  const char* function;
  Py_ssize_t count;
  PyObject* names[kMostParameters]; /* interned; they live as long as the process */
} Signature;

/* One set for all interpreters of a process: the module is for the main one alone. */
static Signature three_signature = {.function = "three", .count = kThree};
static Signature add_signature = {.function = "add", .count = kAdd};
static Signature vector_signature = {.function = "Vector", .count = kVector};
static Signature scale_signature = {.function = "scale", .count = kScale};

static Py_ssize_t find_parameter(const Signature* signature, PyObject* name) {
  for (Py_ssize_t i = 0; i < signature->count; ++i) {
    if (signature->names[i] == name) return i;
  }
  /* Equal and yet another object: such as a name that was put together for f(**{...}). */
  for (Py_ssize_t i = 0; i < signature->count; ++i) {
    int same = PyObject_RichCompareBool(signature->names[i], name, Py_EQ);
    if (same != 0) return same < 0 ? -1 : i;
  }
  PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%S'", signature->function,
               name);
  return -1;
}

/* Puts the arguments into the order of the parameters, each there once. -1 with an error set when
 * they cannot be. */
static int sort_arguments(const Signature* signature, PyObject* const* given, Py_ssize_t positional,
                          PyObject* keywords, PyObject** sorted) {
  const Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
  if (positional > signature->count) {
    PyErr_Format(PyExc_TypeError, "%s() takes %zd positional arguments but %zd were given",
                 signature->function, signature->count, positional);
    return -1;
  }
  for (Py_ssize_t i = 0; i < signature->count; ++i) sorted[i] = i < positional ? given[i] : NULL;
  for (Py_ssize_t i = 0; i < named; ++i) {
    const Py_ssize_t place = find_parameter(signature, PyTuple_GET_ITEM(keywords, i));
    if (place < 0) return -1;
    if (sorted[place] != NULL) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'",
                   signature->function, signature->names[place]);
      return -1;
    }
    sorted[place] = given[positional + i];
  }
  for (Py_ssize_t i = 0; i < signature->count; ++i) {
    if (sorted[i] == NULL) {
      PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%U'", signature->function,
                   signature->names[i]);
      return -1;
    }
  }
  return 0;
}

/* A function, given as many arguments as it has parameters, in their order. */
typedef PyObject* Body(PyObject* self, PyObject* const* arguments);

/* Apart, so that a call whose arguments need no sorting makes no room for them; what it was called
 * with is handed on as it came. */
static Py_NO_INLINE PyObject* sort_and_call(PyObject* self, PyObject* const* given,
                                            Py_ssize_t positional, PyObject* keywords,
                                            const Signature* signature, Body* body) {
  PyObject* sorted[kMostParameters];
  if (sort_arguments(signature, given, positional, keywords, sorted) < 0) return NULL;
  return body(self, sorted);
}

/* `count` is the signature's, which the compiler knows here. */
static inline int are_in_order(const Signature* signature, Py_ssize_t count, Py_ssize_t positional,
                               PyObject* keywords) {
  if (keywords == NULL) return positional == count;
  if (positional + PyTuple_GET_SIZE(keywords) != count) return 0;
  for (Py_ssize_t i = positional; i < count; ++i) {
    if (PyTuple_GET_ITEM(keywords, i - positional) != signature->names[i]) return 0;
  }
  return 1;
}

/* Arguments that are in order are used where the caller put them. */
static inline PyObject* call(const Signature* signature, Py_ssize_t count, Body* body,
                             PyObject* self, PyObject* const* given, Py_ssize_t positional,
                             PyObject* keywords) {
  if (are_in_order(signature, count, positional, keywords)) return body(self, given);
  return sort_and_call(self, given, positional, keywords, signature, body);
}

static inline int to_double(PyObject* object, double* value) {
  if (PyFloat_CheckExact(object)) {
    *value = PyFloat_AS_DOUBLE(object);
    return 0;
  }
  *value = PyFloat_AsDouble(object);
  return *value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static PyObject* nothing_noargs(PyObject* module, PyObject* unused) { Py_RETURN_NONE; }

static PyObject* nothing_fastcall(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  if (count != 0) {
    PyErr_Format(PyExc_TypeError, "nothing() takes no arguments (%zd given)", count);
    return NULL;
  }
  Py_RETURN_NONE;
}

static PyObject* nothing_keywords(PyObject* module, PyObject* const* given, Py_ssize_t count,
                                  PyObject* keywords) {
  if (keywords != NULL && PyTuple_GET_SIZE(keywords) != 0) {
    PyErr_SetString(PyExc_TypeError, "nothing() takes no keyword arguments");
    return NULL;
  }
  return nothing_fastcall(module, given, count);
}

static PyObject* one_o(PyObject* module, PyObject* x) { Py_RETURN_NONE; }

static PyObject* one_fastcall(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  if (count != 1) {
    PyErr_Format(PyExc_TypeError, "one() takes exactly one argument (%zd given)", count);
    return NULL;
  }
  Py_RETURN_NONE;
}

static PyObject* one_keywords(PyObject* module, PyObject* const* given, Py_ssize_t count,
                              PyObject* keywords) {
  if (keywords != NULL && PyTuple_GET_SIZE(keywords) != 0) {
    PyErr_SetString(PyExc_TypeError, "one() takes no keyword arguments");
    return NULL;
  }
  return one_fastcall(module, given, count);
}

static inline PyObject* three_body(PyObject* module, PyObject* const* arguments) { Py_RETURN_NONE; }

static PyObject* three(PyObject* module, PyObject* const* given, Py_ssize_t count,
                       PyObject* keywords) {
  return call(&three_signature, kThree, three_body, module, given, count, keywords);
}

static inline PyObject* add_body(PyObject* module, PyObject* const* arguments) {
  double x, y, z;
  if (to_double(arguments[0], &x) < 0 || to_double(arguments[1], &y) < 0 ||
      to_double(arguments[2], &z) < 0) {
    return NULL;
  }
  return PyFloat_FromDouble(x + y + z);
}

static PyObject* add(PyObject* module, PyObject* const* given, Py_ssize_t count,
                     PyObject* keywords) {
  return call(&add_signature, kAdd, add_body, module, given, count, keywords);
}

/* Final, so that its methods and its end need not ask which type an object is of. */
typedef struct Vector {
  PyObject_HEAD
  double x, y;
} Vector;

static inline PyObject* vector_body(PyObject* type, PyObject* const* arguments) {
  double x, y;
  if (to_double(arguments[0], &x) < 0 || to_double(arguments[1], &y) < 0) return NULL;
  Vector* self = PyObject_New(Vector, (PyTypeObject*)type);
  if (self == NULL) return NULL;
  self->x = x;
  self->y = y;
  return (PyObject*)self;
}

static PyObject* vector_vectorcall(PyObject* type, PyObject* const* given, size_t count,
                                   PyObject* keywords) {
  return call(&vector_signature, kVector, vector_body, type, given, PyVectorcall_NARGS(count),
              keywords);
}

static PyObject* vector_new(PyTypeObject* type, PyObject* positional, PyObject* keywords) {
  /* For Vector.__new__(Vector, ...), which nobody calls often. */
  if (keywords != NULL && PyDict_GET_SIZE(keywords) != 0) {
    PyErr_SetString(PyExc_TypeError, "Vector.__new__() takes no keyword arguments");
    return NULL;
  }
  PyObject* const* given = &PyTuple_GET_ITEM(positional, 0);
  const Py_ssize_t count = PyTuple_GET_SIZE(positional);
  return call(&vector_signature, kVector, vector_body, (PyObject*)type, given, count, NULL);
}

static void vector_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

static PyObject* vector_length2(PyObject* self, PyObject* unused) {
  const Vector* vector = (Vector*)self;
  return PyFloat_FromDouble(vector->x * vector->x + vector->y * vector->y);
}

static inline PyObject* scale_body(PyObject* self, PyObject* const* arguments) {
  double f;
  if (to_double(arguments[0], &f) < 0) return NULL;
  Vector* vector = (Vector*)self;
  vector->x *= f;
  vector->y *= f;
  Py_RETURN_NONE;
}

static PyObject* vector_scale(PyObject* self, PyObject* const* given, Py_ssize_t count,
                              PyObject* keywords) {
  return call(&scale_signature, kScale, scale_body, self, given, count, keywords);
}

static PyObject* vector_x(PyObject* self, void* unused) {
  return PyFloat_FromDouble(((Vector*)self)->x);
}

static PyMethodDef vector_methods[] = {
    {"length2", vector_length2, METH_NOARGS, NULL},
    {"scale", (PyCFunction)(void (*)(void))vector_scale, METH_FASTCALL | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef vector_attributes[] = {
    {"x", vector_x, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot vector_slots[] = {
    {Py_tp_new, vector_new},
    {Py_tp_dealloc, vector_dealloc},
    {Py_tp_methods, vector_methods},
    {Py_tp_getset, vector_attributes},
    {0, NULL},
};

static PyType_Spec vector_spec = {
    .name = "call_c.Vector",
    .basicsize = sizeof(Vector),
    /* Calls of immutable types that have a vectorcall are specialised. */
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = vector_slots,
};

#define WITH_KEYWORDS(function) \
  (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, NULL
#define FASTCALL(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL, NULL

static PyMethodDef functions[] = {
    /* In the convention that costs least of all. */
    {"nothing", FASTCALL(nothing_fastcall)},
    {"one", one_o, METH_O, NULL},
    {"three", WITH_KEYWORDS(three)},
    {"add", WITH_KEYWORDS(add)},
    {"nothing_noargs", nothing_noargs, METH_NOARGS, NULL},
    {"nothing_fastcall", FASTCALL(nothing_fastcall)},
    {"nothing_keywords", WITH_KEYWORDS(nothing_keywords)},
    {"one_o", one_o, METH_O, NULL},
    {"one_fastcall", FASTCALL(one_fastcall)},
    {"one_keywords", WITH_KEYWORDS(one_keywords)},
    {NULL, NULL, 0, NULL},
};

static int intern_names(Signature* signature, const char* const* names) {
  for (Py_ssize_t i = 0; i < signature->count; ++i) {
    signature->names[i] = PyUnicode_InternFromString(names[i]);
    if (signature->names[i] == NULL) return -1;
  }
  return 0;
}

static int execute(PyObject* module) {
  static const char* const kXYZ[] = {"x", "y", "z"};
  static const char* const kF[] = {"f"};
  if (intern_names(&three_signature, kXYZ) < 0 || intern_names(&add_signature, kXYZ) < 0 ||
      intern_names(&vector_signature, kXYZ) < 0 || intern_names(&scale_signature, kF) < 0) {
    return -1;
  }
  PyObject* type = PyType_FromModuleAndSpec(module, &vector_spec, NULL);
  if (type == NULL) return -1;
  /* By hand, since there is a slot for it from 3.14 on only. */
  ((PyTypeObject*)type)->tp_vectorcall = vector_vectorcall;
  const int added = PyModule_AddObjectRef(module, "Vector", type);
  Py_DECREF(type);
  return added;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "call_c",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_call_c(void) { return PyModuleDef_Init(&definition); }
