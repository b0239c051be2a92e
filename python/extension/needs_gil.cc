// Stands in for live.cc and write_report.cc where there is no GIL.

#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

PyObject* refuse(const char* function) {
  PyErr_Format(
      PyExc_RuntimeError,
      "%s() needs a CPython with a GIL: without one, other threads go on using the objects "
      "meanwhile",
      function);
  return nullptr;
}

}  // namespace

PyObject* immortalize(PyObject*, PyObject*, PyObject*) { return refuse("immortalize"); }

PyObject* prefork(PyObject*, PyObject*, PyObject*) { return refuse("prefork"); }

PyObject* watch_writes(PyObject*, PyObject*) { return refuse("write_report"); }

}  // namespace tenure::extension
