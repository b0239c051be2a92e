// tenure._tenure.write_image(): from a list of modules to an image file.

#include <cerrno>
#include <unordered_set>
#include <vector>

#include "tenure/core/abi/code.h"
#include "tenure/core/attach.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/graph.h"
#include "tenure/immortal/image/output.h"
#include "tenure/immortal/image/writer.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

struct Module {
  const char* name;
  Py_ssize_t name_bytes;
  PyObject* code;
  int is_package;
  PyObject* origin;
  PyObject* cached;
  unsigned long long source_bytes;
  unsigned long long source_checksum;
};

bool parse_module(PyObject* item, Module& module) {
  if (!PyTuple_Check(item)) {
    PyErr_Format(PyExc_TypeError, "modules must be a list of tuples, not of %T", item);
    return false;
  }
  if (!PyArg_ParseTuple(item,
                        "s#O!pUOKK;a module is (name, code, is_package, origin, cached, "
                        "source_bytes, source_checksum)",
                        &module.name, &module.name_bytes, &PyCode_Type, &module.code,
                        &module.is_package, &module.origin, &module.cached, &module.source_bytes,
                        &module.source_checksum)) {
    return false;
  }
  if (module.cached == Py_None) {
    module.cached = nullptr;
  } else if (!PyUnicode_CheckExact(module.cached)) {
    PyErr_Format(PyExc_TypeError, "module '%s': cached must be a str or None", module.name);
    return false;
  }
  if (module.name_bytes == 0 || PyUnicode_GET_LENGTH(module.origin) < 2) {
    PyErr_Format(PyExc_ValueError, "module '%s': its name and origin must not be empty",
                 module.name);
    return false;
  }
  return true;
}

bool report(PyObject* progress, Py_ssize_t done, Py_ssize_t total) {
  if (progress == Py_None) return true;
  const Result<> answer = PyObject_CallFunction(progress, "nn", done, total);
  return static_cast<bool>(answer);
}

}  // namespace

const char* no_code_reason() {
  if (abi::can_copy_code()) return nullptr;
  return "free-threaded CPython's code objects cannot be in an image; freeze data, or use a "
         "CPython "
         "with a GIL";
}

PyObject* write_image(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"path", "modules", "progress", "familiar", "ran", nullptr};
  PyObject* path_object = nullptr;
  PyObject* given = nullptr;
  PyObject* progress = Py_None;
  PyObject* familiar = Py_None;
  PyObject* ran = Py_None;
  std::string path;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|OOO:write_image", const_cast<char**>(names),
                                   &path_object, &given, &progress, &familiar, &ran) ||
      !to_path(path_object, path)) {
    return nullptr;
  }
  if (const char* reason = no_code_reason()) {
    PyErr_SetString(PyExc_TypeError, reason);
    return nullptr;
  }
  // A copy: progress() may change what it was given.
  Result<> modules = PySequence_Tuple(given);
  if (!modules) return nullptr;
  const Py_ssize_t total = PyTuple_GET_SIZE(modules.get());
  if (familiar != Py_None && !PyAnySet_Check(familiar)) {
    PyErr_Format(PyExc_TypeError, "familiar must be a set of str or None, not %T", familiar);
    return nullptr;
  }
  if (ran != Py_None && !PyAnySet_Check(ran)) {
    PyErr_Format(PyExc_TypeError, "ran must be a set of int or None, not %T", ran);
    return nullptr;
  }
  image::Graph graph(familiar == Py_None ? nullptr : familiar, ran == Py_None ? nullptr : ran);
  image::Problem problem;
  std::unordered_set<std::string> seen;
  for (Py_ssize_t i = 0; i < total; ++i) {
    Module module;
    if (!parse_module(PyTuple_GET_ITEM(modules.get(), i), module)) return nullptr;
    const std::string name(module.name, static_cast<size_t>(module.name_bytes));
    if (!seen.insert(name).second) {
      PyErr_Format(PyExc_ValueError, "module '%s' is given twice", name.c_str());
      return nullptr;
    }
    if (!graph.add_module(name, module.code, module.is_package != 0, module.origin, module.cached,
                          module.source_bytes, module.source_checksum, problem)) {
      return refuse_to_freeze(problem);
    }
    if (!report(progress, i + 1, total)) return nullptr;
  }
  std::vector<std::byte> file;
  if (!image::write_image(graph, file, problem)) return refuse_to_freeze(problem);
  int error;
  {
    const Detach detached;
    error = image::write_file(path, file);
  }
  if (error != 0) {
    errno = error;
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path_object);
  }
  return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n}", "bytes", static_cast<Py_ssize_t>(file.size()),
                       "modules", total, "objects", static_cast<Py_ssize_t>(graph.nodes().size()),
                       "externals", static_cast<Py_ssize_t>(graph.externals().size()), "rebuilt",
                       static_cast<Py_ssize_t>(graph.rebuilt().size()));
}

}  // namespace tenure::extension
