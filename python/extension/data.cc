// tenure._tenure.write_data(): from live objects to an image file.

#include <cerrno>
#include <cstring>

#include "tenure/core/abi/strings.h"
#include "tenure/core/attach.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/data_graph.h"
#include "tenure/immortal/image/data_writer.h"
#include "tenure/immortal/image/fixed_hashes.h"
#include "tenure/immortal/image/output.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

// Which of two words an option is; false with a Python error if it is neither.
bool parse_word(const char* option, const char* word, const char* no, const char* yes,
                bool& value) {
  value = word != nullptr && std::strcmp(word, yes) == 0;
  if (value || word == nullptr || std::strcmp(word, no) == 0) return true;
  PyErr_Format(PyExc_ValueError, "%s must be '%s' or '%s', not '%s'", option, no, yes, word);
  return false;
}

bool parse_policy(const char* word, image::HashPolicy& policy) {
  if (word == nullptr || std::strcmp(word, "lazy") == 0) {
    policy = image::HashPolicy::kLazy;
  } else if (std::strcmp(word, "sealed") == 0) {
    policy = image::HashPolicy::kSealed;
  } else if (std::strcmp(word, "fixed") == 0) {
    policy = image::HashPolicy::kFixed;
  } else {
    PyErr_Format(PyExc_ValueError, "hash_policy must be 'lazy', 'sealed' or 'fixed', not '%s'",
                 word);
    return false;
  }
  return true;
}

// True if this process's hashes are those of a secret that others can be started with. False with a
// Python error.
bool has_known_secret() {
  const Result<> os = PyImport_ImportModule("os");
  if (!os) return false;
  const Result<> environment = PyObject_GetAttrString(os.get(), "environ");
  if (!environment) return false;
  const Result<> seed =
      PyObject_CallMethod(environment.get(), "get", "ss", "PYTHONHASHSEED", "random");
  if (!seed || !PyUnicode_Check(seed.get())) return false;
  PyObject* flags = PySys_GetObject("flags");
  const Result<> ignored =
      flags != nullptr ? PyObject_GetAttrString(flags, "ignore_environment") : nullptr;
  if (!ignored) return false;
  if (!PyUnicode_EqualToUTF8(seed.get(), "random") && PyUnicode_GET_LENGTH(seed.get()) != 0 &&
      !PyObject_IsTrue(ignored.get())) {
    return true;
  }
  PyErr_SetString(
      PyExc_ValueError,
      "hash_policy 'fixed' needs a hash secret that other processes can have too: start "
      "this one with PYTHONHASHSEED set to a number");
  return false;
}

bool add_roots(image::DataGraph& graph, PyObject* roots, image::Problem& problem) {
  PyObject* name = nullptr;
  PyObject* object = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(roots, &at, &name, &object)) {
    Py_ssize_t bytes = 0;
    const char* text = PyUnicode_AsUTF8AndSize(name, &bytes);
    if (text == nullptr) return problem.refuse_with_python_error("roots");
    if (!graph.add_root(std::string(text, static_cast<size_t>(bytes)), object, problem))
      return false;
  }
  return true;
}

bool check_names(PyObject* roots) {
  PyObject* name = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(roots, &at, &name, nullptr)) {
    if (!PyUnicode_Check(name)) {
      PyErr_Format(PyExc_TypeError, "names of roots must be str, not %T", name);
      return false;
    }
  }
  if (PyDict_GET_SIZE(roots) != 0) return true;
  PyErr_SetString(PyExc_ValueError, "there is no root, so there is nothing to freeze");
  return false;
}

}  // namespace

PyObject* write_data(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"path", "roots",       "lists",    "dicts",
                                      "sets", "hash_policy", "progress", nullptr};
  PyObject* path_object = nullptr;
  PyObject* given = nullptr;
  const char* lists = nullptr;
  const char* dicts = nullptr;
  const char* sets = nullptr;
  const char* policy_word = nullptr;
  PyObject* progress = Py_None;
  std::string path;
  image::DataGraph::Options options;
  image::Assembly::Hashes hashes;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO!|$ssssO:write_data",
                                   const_cast<char**>(names), &path_object, &PyDict_Type, &given,
                                   &lists, &dicts, &sets, &policy_word, &progress) ||
      !to_path(path_object, path) ||
      !parse_word("lists", lists, "tuple", "list", options.keep_lists) ||
      !parse_word("dicts", dicts, "frozen", "builtin", options.keep_dicts) ||
      !parse_word("sets", sets, "frozen", "builtin", options.keep_sets) ||
      !parse_policy(policy_word, hashes.policy)) {
    return nullptr;
  }
  if (hashes.policy == image::HashPolicy::kFixed && !has_known_secret()) return nullptr;
  // A copy: progress() may change what it was given.
  Result<> roots = PyDict_Copy(given);
  if (!roots || !check_names(roots.get())) return nullptr;
  if (progress != Py_None) {
    options.progress = [progress](uint64_t done, uint64_t total) {
      const Result<> answer =
          PyObject_CallFunction(progress, "KK", static_cast<unsigned long long>(done),
                                static_cast<unsigned long long>(total));
      return static_cast<bool>(answer);
    };
  }
  image::DataGraph graph(std::move(options));
  image::Assembly assembly(1);
  image::Problem problem;
  if (!add_roots(graph, roots.get(), problem) || !image::write_data(graph, assembly, problem)) {
    return refuse_to_freeze(problem);
  }
  if (hashes.policy == image::HashPolicy::kFixed && (hashes.witness = abi::hash_witness()) == 0) {
    return nullptr;
  }
  assembly.finish(hashes);
  if (hashes.policy == image::HashPolicy::kFixed && !image::fix_hashes(assembly, problem)) {
    return refuse_to_freeze(problem);
  }
  int error;
  {
    const Detach detached;
    error = image::write_file(path, assembly.pieces(), image::Stamped::kYes);
  }
  if (error != 0) {
    errno = error;
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path_object);
  }
  size_t objects = 0;
  for (size_t i = 0; i < image::kSegments; ++i) objects += graph.members(i).size();
  return Py_BuildValue(
      "{s:n,s:n,s:n,s:n,s:n}", "bytes", static_cast<Py_ssize_t>(assembly.file_bytes()), "roots",
      static_cast<Py_ssize_t>(graph.roots().size()), "objects", static_cast<Py_ssize_t>(objects),
      "externals", static_cast<Py_ssize_t>(graph.externals().size()), "rebuilt",
      static_cast<Py_ssize_t>(graph.rebuilt().size()));
}

}  // namespace tenure::extension
