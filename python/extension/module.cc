// tenure._tenure: the C++ half of the tenure package.

#include <cstring>
#include <new>

#include "tenure/core/abi/identity.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/checksum.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {

State& state_of(PyObject* module) { return *static_cast<State*>(PyModule_GetState(module)); }

bool to_path(PyObject* object, std::string& path) {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(object, &bytes)) return false;
  path.assign(PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes)));
  Py_DECREF(bytes);
  return true;
}

PyObject* text_object(std::string_view text) {
  PyObject* str =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogatepass");
  if (str != nullptr || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return str;
  PyErr_Clear();
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyObject* refuse_to_freeze(const image::Problem& problem) {
  if (problem.python_error) return nullptr;
  const Result<> text = PyUnicode_DecodeUTF8(
      problem.what.data(), static_cast<Py_ssize_t>(problem.what.size()), "replace");
  const Result<> where = PyUnicode_DecodeUTF8(
      problem.where.data(), static_cast<Py_ssize_t>(problem.where.size()), "replace");
  if (text && where) PyErr_Format(PyExc_TypeError, "%U: %U", where.get(), text.get());
  return nullptr;
}

namespace {

PyObject* checksum(PyObject*, PyObject* data) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE) < 0) return nullptr;
  const uint64_t sum =
      image::checksum({static_cast<const std::byte*>(buffer.buf), static_cast<size_t>(buffer.len)});
  PyBuffer_Release(&buffer);
  return PyLong_FromUnsignedLongLong(sum);
}

PyCFunction with_keywords(PyObject* (*function)(PyObject*, PyObject*, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

PyMethodDef methods[] = {
    {"load", with_keywords(load), METH_VARARGS | METH_KEYWORDS,
     "load($module, path, /, *, check='lazy', seal=False)\n--\n\n"
     "Map an image and make its modules importable.\n\n"
     "path: str, bytes or os.PathLike. check: 'lazy' checks the bytes of each module when it is\n"
     "first imported, 'full' checks all of them now. With seal=True, see Image.seal(). Returns\n"
     "an Image; loading the same file again returns the same one. Raises ImageError if the file is "
     "not an image that this interpreter\n"
     "can use; then nothing is loaded. An image is code: load only what you would run."},
    {"write_image", with_keywords(write_image), METH_VARARGS | METH_KEYWORDS,
     "write_image($module, path, modules, progress=None, familiar=None, ran=None)\n--\n\n"
     "Write modules into an image file, which appears complete or not at all.\n\n"
     "modules: a list of tuples (name: str, code: CodeType, is_package: bool, origin: str,\n"
     "cached: str | None, source_bytes: int, source_checksum: int). The code must never have run.\n"
     "progress: called as progress(done, total), in modules. familiar: a set of str, those that\n"
     "the interpreter has interned before it loads an image; objects that name them are kept\n"
     "together, because their slots are written at load. ran: a set of int, the ids of code\n"
     "objects that are expected to run soon after loading. Returns a dict of counts. Raises\n"
     "TypeError naming an object that an image cannot hold, ValueError for two modules of one\n"
     "name, OSError if the file cannot be written."},
    {"write_data", with_keywords(write_data), METH_VARARGS | METH_KEYWORDS,
     "write_data($module, path, roots, *, lists='tuple', dicts='frozen', sets='frozen',\n"
     "           hash_policy='lazy', progress=None)\n--\n\n"
     "Write objects and all they lead to into an image file, which appears complete or not at "
     "all.\n\n"
     "roots: a dict from str, the names, to the objects. lists: 'tuple' makes lists tuples, "
     "'list'\n"
     "has them made anew at load; dicts: 'frozen' or 'builtin', and sets: 'frozen' or 'builtin',\n"
     "likewise. hash_policy: 'lazy', 'sealed' or 'fixed'; the last needs a process that was "
     "started\n"
     "with PYTHONHASHSEED. progress: called as progress(done, total), in objects; total grows "
     "while\n"
     "objects are found. Returns a dict of counts. Raises TypeError naming the path to an object\n"
     "that an image cannot hold, OSError if the file cannot be written."},
    {"inspect", inspect, METH_O,
     "inspect($module, path, /)\n--\n\n"
     "Describe an image file as a dict, without loading it. Raises ImageError."},
    {"assembler_source", with_keywords(assembler_source), METH_VARARGS | METH_KEYWORDS,
     "assembler_source($module, path, section, symbol, fixed=False)\n--\n\n"
     "The assembler's source of an object file that holds an image of data, as bytes.\n\n"
     "section: its name. symbol: what the names of its begin and end start with. fixed: for\n"
     "position-dependent executables, with a relocation for each pointer. Raises ImageError."},
    {"checksum", checksum, METH_O,
     "checksum($module, data, /)\n--\n\nThe checksum that images use (XXH3, 64 bits), as an int."},
    {"json_default", json_default, METH_O,
     "json_default($module, object, /)\n--\n\n"
     "What json cannot write, as what it can: json.dumps(x, default=tenure.json_default).\n\n"
     "A FrozenDict becomes a dict. Raises TypeError for every other object."},
    {"watch_writes", watch_writes, METH_VARARGS, "See tenure.write_report()."},
    {"deferred_stats", deferred_stats, METH_NOARGS, "See tenure.deferred.stats()."},
    {"deferred_flush", deferred_flush, METH_NOARGS, "See tenure.deferred.flush()."},
    {"deferred_bound", deferred_bound, METH_NOARGS, "See tenure.deferred.bound()."},
    {"deferred_set_bound", deferred_set_bound, METH_O, "See tenure.deferred.set_bound()."},
    {"fast_exit", with_keywords(fast_exit), METH_VARARGS | METH_KEYWORDS,
     "fast_exit($module, /, code=0)\n--\n\n"
     "Ends the process as sys.exit() does in the main thread, without taking its objects apart.\n\n"
     "Threads are waited for, atexit functions called, and open files written to their ends.\n"
     "Raises nothing and never returns: no finally block is run, and no __del__ of a class that\n"
     "is not the standard library's. code: as for sys.exit(). Raises RuntimeError in another\n"
     "thread or interpreter than the main one, and while the process ends already."},
    {"leave_after", leave_after, METH_VARARGS,
     "leave_after($module, error, report, /)\n--\n\n"
     "Has the process leave as by fast_exit() when the interpreter ends, for a program that ended\n"
     "with this exception. Returns the status to end with, or None if it cannot leave.\n\n"
     "report: None, or called with a dict of the classes whose __del__ did not run."},
    {"release", release, METH_O,
     "release($module, obj, /)\n--\n\n"
     "Has a big graph taken apart in small steps, in the background, when its last user is "
     "gone.\n\n"
     "Takes a reference, so that whoever drops the last other one, as `del graph` does, waits for\n"
     "nothing. Within tenure.deferred.bound() it is taken apart then: about a millisecond of work\n"
     "at a time. Whoever still refers to it keeps it whole; after ten seconds, or if it is part "
     "of\n"
     "a cycle, it goes as without this. See docs/leaving.md."},
    {"immortalize", with_keywords(immortalize), METH_VARARGS | METH_KEYWORDS,
     "See tenure.immortalize()."},
    {"prefork", with_keywords(prefork), METH_VARARGS | METH_KEYWORDS, "See tenure.prefork()."},
    {}};

int exec(PyObject* module) {
  // The memory comes zeroed from the interpreter; from here on it is a State, until free() below.
  State& state = *new (PyModule_GetState(module)) State;
  state.image_error = PyErr_NewExceptionWithDoc(
      "tenure.ImageError",
      "An image cannot be used: it is damaged, no image, or made for another interpreter.\n\n"
      "path: the file, a str. where: the part of it that is meant, a str.",
      nullptr, nullptr);
  if (state.image_error == nullptr ||
      PyObject_SetAttrString(state.image_error, "path", Py_None) < 0 ||
      PyObject_SetAttrString(state.image_error, "where", Py_None) < 0 ||
      PyModule_AddObjectRef(module, "ImageError", state.image_error) < 0) {
    return -1;
  }
  const char* reason = no_code_reason();
  if (reason == nullptr ? PyModule_AddObjectRef(module, "no_code_reason", Py_None) < 0
                        : PyModule_AddStringConstant(module, "no_code_reason", reason) < 0) {
    return -1;
  }
  // Now, while other threads wait for the import: see identity.h.
  abi::identity();
  state.image_type = make_image_type(module);
  if (state.image_type == nullptr || PyModule_AddObjectRef(module, "Image", state.image_type) < 0) {
    return -1;
  }
  state.images = PyDict_New();
  if (state.images == nullptr || add_deferred_api(module) < 0 || !add_frozen_dict(module)) {
    return -1;
  }
  return state.importer.init(module, state.image_error) ? 0 : -1;
}

bool has_state(State* state) { return state != nullptr && state->image_error != nullptr; }

int traverse(PyObject* module, visitproc visit, void* arg) {
  auto* state = static_cast<State*>(PyModule_GetState(module));
  if (!has_state(state)) return 0;
  Py_VISIT(state->image_error);
  Py_VISIT(state->image_type);
  Py_VISIT(state->images);
  return state->importer.traverse(visit, arg);
}

int clear(PyObject* module) {
  auto* state = static_cast<State*>(PyModule_GetState(module));
  if (!has_state(state)) return 0;
  Py_CLEAR(state->images);
  Py_CLEAR(state->image_type);
  state->importer.clear();
  return 0;
}

void free(void* pointer) {
  auto* module = static_cast<PyObject*>(pointer);
  auto* state = static_cast<State*>(PyModule_GetState(module));
  if (!has_state(state)) return;
  clear(module);
  Py_CLEAR(state->image_error);
  state->~State();
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    // Each interpreter maps an image for itself: code objects cannot be shared between them.
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    // What threads share is guarded where it is: see Importer.
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "tenure._tenure",
                          "Images of immortal objects.",
                          sizeof(State),
                          methods,
                          slots,
                          traverse,
                          clear,
                          free};

}  // namespace
}  // namespace tenure::extension

PyMODINIT_FUNC PyInit__tenure() { return PyModuleDef_Init(&tenure::extension::definition); }
