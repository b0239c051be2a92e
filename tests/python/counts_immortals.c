/* What an extension module built for the limited API below 3.12 does: its Py_INCREF, inlined,
 * counts references of immortal objects like those of any other. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject* count(PyObject* module, PyObject* object) {
  /* Through a pointer to a word, as the macro of old knew the field. */
  volatile Py_ssize_t* references = (volatile Py_ssize_t*)object;
  ++*references;
  --*references;
  Py_RETURN_NONE;
}

/* Copies bytes into an object, which nobody may do. */
static PyObject* overwrite(PyObject* module, PyObject* object) {
  if (!PyBytes_Check(object)) {
    PyErr_SetString(PyExc_TypeError, "overwrite() takes bytes");
    return NULL;
  }
  char* to = PyBytes_AS_STRING(object);
  for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(object); ++i) ((volatile char*)to)[i] = to[i];
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"count", count, METH_O, "Counts a reference to an object, and uncounts it."},
    {"overwrite", overwrite, METH_O, "Writes each byte of a bytes object again."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "counts_immortals", NULL, 0, methods, slots};

PyMODINIT_FUNC PyInit_counts_immortals(void) { return PyModuleDef_Init(&definition); }
