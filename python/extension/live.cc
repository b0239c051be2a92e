// tenure.immortalize() and tenure.prefork(): what makes live objects immortal.

#include "tenure/immortal/graph/immortalize.h"
#include "tenure/immortal/graph/prefork.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

Py_ssize_t number(size_t count) { return static_cast<Py_ssize_t>(count); }

// A dict of str to int; null with MemoryError.
PyObject* skipped_dict(const graph::Prefork& done) {
  PyObject* dict = PyDict_New();
  for (int kind = 1; dict != nullptr && kind < graph::kMustEndEnd; ++kind) {
    PyObject* count = PyLong_FromSize_t(done.skipped[static_cast<size_t>(kind)]);
    const char* name = graph::name_of(static_cast<graph::MustEnd>(kind));
    if (count == nullptr || PyDict_SetItemString(dict, name, count) < 0) Py_CLEAR(dict);
    Py_XDECREF(count);
  }
  return dict;
}

}  // namespace

PyObject* immortalize(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"", "types", "modules", "finalizers", nullptr};
  PyObject* root = nullptr;
  int types = 0;
  int modules = 0;
  int finalizers = 0;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$ppp:immortalize", const_cast<char**>(names),
                                   &root, &types, &modules, &finalizers)) {
    return nullptr;
  }
  graph::Immortalized done;
  graph::Refusal refusal;
  const graph::Options options{
      .types = types != 0, .modules = modules != 0, .finalizers = finalizers != 0};
  if (!graph::immortalize(root, options, done, refusal)) {
    if (!refusal.python_error) {
      PyErr_Format(PyExc_TypeError, "%s: %s", refusal.path.c_str(), refusal.reason.c_str());
    }
    return nullptr;
  }
  return Py_BuildValue("{sn sn sn sn sn}", "objects", number(done.objects), "bytes",
                       number(done.bytes), "types", number(done.types), "modules",
                       number(done.modules), "foreign", number(done.foreign));
}

PyObject* prefork(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"utf8", "fresh_memory", nullptr};
  int utf8 = 1;
  int fresh_memory = 1;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$pp:prefork", const_cast<char**>(names), &utf8,
                                   &fresh_memory)) {
    return nullptr;
  }
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "prefork() is for the main interpreter: the child of a fork has no other");
    return nullptr;
  }
  graph::Prefork done;
  if (!graph::prefork({.utf8 = utf8 != 0, .fresh_memory = fresh_memory != 0}, done)) return nullptr;
  return Py_BuildValue("{sn sn sn sn sn sN}", "objects", number(done.immortal.objects), "bytes",
                       number(done.immortal.bytes), "hashes", number(done.hashes), "utf8",
                       number(done.utf8), "left_behind", number(done.bytes_left_behind), "skipped",
                       skipped_dict(done));
}

}  // namespace tenure::extension
