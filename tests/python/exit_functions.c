/* What extension modules and the libraries below them register for the end of a process: each says
 * on standard output when it is called. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char* text) {
  ssize_t written = write(STDOUT_FILENO, text, strlen(text));
  (void)written;
}

static void of_python(void) { say(Py_IsInitialized() ? "too early\n" : "Py_AtExit, first\n"); }
static void of_python_too(void) { say("Py_AtExit, second\n"); }
static void of_c(void) { say("atexit of C\n"); }
__attribute__((destructor)) static void of_library(void) { say("destructor\n"); }

static int exec(PyObject* module) {
  (void)module;
  if (Py_AtExit(of_python) < 0 || Py_AtExit(of_python_too) < 0 || atexit(of_c) != 0) {
    PyErr_SetString(PyExc_RuntimeError, "no room for exit functions");
    return -1;
  }
  printf("left in C's buffer\n");
  return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec},
#ifdef Py_GIL_DISABLED
                                   {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                   {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "exit_functions", NULL, 0, NULL, slots};

PyMODINIT_FUNC PyInit_exit_functions(void) { return PyModuleDef_Init(&definition); }
