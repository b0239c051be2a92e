// tenure.Image: a loaded image, as Python sees it; and tenure.load().

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "tenure/core/abi/thread.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/sealed_write.h"
#include "tenure/immortal/image/sealing.h"
#include "tenure/immortal/image/verify.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

struct ImageObject {
  PyObject_HEAD
  image::Image* image;  // the importer of `module` keeps it
  PyObject* module;
  PyObject* path;
};

ImageObject* cast(PyObject* self) { return reinterpret_cast<ImageObject*>(self); }

PyObject* refuse(PyObject* self, const image::Problem& problem) {
  return state_of(cast(self)->module).importer.raise(cast(self)->image->path(), problem);
}

PyObject* get_modules(PyObject* self, void*) {
  const image::View& view = cast(self)->image->view();
  Result<> names = PyTuple_New(static_cast<Py_ssize_t>(view.modules().size()));
  if (!names) return nullptr;
  Py_ssize_t next = 0;
  for (const image::ModuleEntry& module : view.modules()) {
    const std::string_view name = view.text(module.name);
    PyObject* str = text_object(name);
    if (str == nullptr) return nullptr;
    PyTuple_SET_ITEM(names.get(), next++, str);
  }
  return std::move(names).release();
}

PyObject* get_path(PyObject* self, void*) { return Py_NewRef(cast(self)->path); }

PyObject* get_prelinked(PyObject* self, void*) {
  return PyBool_FromLong(cast(self)->image->is_prelinked());
}

// A root of the image; null with a Python error if it has none there. New reference.
PyObject* root_object(PyObject* self, const image::RootEntry& entry) {
  PyObject* object = cast(self)->image->root(entry);
  if (object != nullptr) return Py_NewRef(object);
  image::Problem problem;
  problem.refuse("root table", "names something that is no root; freeze the image again");
  return refuse(self, problem);
}

PyObject* root_names(const image::View& view) {
  Result<> names = PyList_New(0);
  if (!names) return nullptr;
  for (const image::RootEntry& root : view.roots()) {
    const Result<> name = text_object(view.text(root.name));
    if (!name || PyList_Append(names.get(), name.get()) < 0) return nullptr;
  }
  return std::move(names).release();
}

PyObject* get_root(PyObject* self, void*) {
  const image::View& view = cast(self)->image->view();
  if (view.roots().size() == 1) return root_object(self, view.roots()[0]);
  if (view.roots().empty()) {
    PyErr_Format(PyExc_AttributeError,
                 "%R holds modules, which are imported; there is no data in it", cast(self)->path);
    return nullptr;
  }
  const Result<> names = root_names(view);
  if (names) {
    PyErr_Format(PyExc_AttributeError, "%R has %zd roots: use .roots[name] with one of %R",
                 cast(self)->path, static_cast<Py_ssize_t>(view.roots().size()), names.get());
  }
  return nullptr;
}

PyObject* get_roots(PyObject* self, void*) {
  const image::View& view = cast(self)->image->view();
  Result<> roots = PyDict_New();
  if (!roots) return nullptr;
  for (const image::RootEntry& entry : view.roots()) {
    const Result<> name = text_object(view.text(entry.name));
    if (!name) return nullptr;
    const Result<> object = root_object(self, entry);
    if (!object || PyDict_SetItem(roots.get(), name.get(), object.get()) < 0) return nullptr;
  }
  return PyDictProxy_New(roots.get());
}

PyObject* get_sealed(PyObject* self, void*) {
  return PyBool_FromLong(image::is_sealed(*cast(self)->image));
}

PyObject* stats(PyObject* self, PyObject*) {
  const image::Image& image = *cast(self)->image;
  const image::Image::Stats& stats = image.stats();
  auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:O}",     //
                       "bytes", number(image.mapping().bytes().size()),     //
                       "modules", number(image.view().modules().size()),    //
                       "load_ns", number(stats.load_ns),                    //
                       "prepare_ns", number(stats.prepare_ns),              //
                       "groups_prepared", number(stats.groups_prepared),    //
                       "strings_interned", number(stats.strings_interned),  //
                       "strings_replaced", number(stats.strings_replaced),  //
                       "slots_replaced", number(stats.slots_replaced),      //
                       "slots_relocated", number(stats.slots_relocated),    //
                       "objects_rebuilt", number(stats.objects_rebuilt),    //
                       "prelinked", image.is_prelinked() ? Py_True : Py_False);
}

bool explain_writes(image::Problem& problem) {
  return image::explain_sealed_writes() ||
         problem.refuse("image", std::string("cannot be sealed with explain=True: SIGSEGV: ") +
                                     std::strerror(errno));
}

bool seal_image(image::Image& image, bool explain, image::Problem& problem) {
  if (abi::kFreeThreaded && !image::is_sealed(image)) {
    return problem.refuse("image",
                          "cannot be sealed now: without a GIL other threads may be about to write "
                          "to it; have it sealed as it is loaded, by load(path, seal=True)");
  }
  return (!explain || explain_writes(problem)) && image::seal(image, problem);
}

PyObject* preload(PyObject* self, PyObject*) {
  image::Problem problem;
  if (!cast(self)->image->prepare_all(problem)) return refuse(self, problem);
  Py_RETURN_NONE;
}

PyObject* verify(PyObject* self, PyObject*) {
  image::Problem problem;
  image::Verified verified;
  if (!image::verify(*cast(self)->image, verified, problem)) return refuse(self, problem);
  return Py_BuildValue("{s:K,s:K,s:K}", "objects",
                       static_cast<unsigned long long>(verified.objects), "references",
                       static_cast<unsigned long long>(verified.references), "bytes",
                       static_cast<unsigned long long>(verified.bytes));
}

PyObject* seal(PyObject* self, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"explain", nullptr};
  int explain = 1;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$p:seal", const_cast<char**>(names),
                                   &explain)) {
    return nullptr;
  }
  image::Problem problem;
  if (!seal_image(*cast(self)->image, explain != 0, problem)) return refuse(self, problem);
  Py_RETURN_NONE;
}

PyObject* unseal(PyObject* self, PyObject*) {
  image::unseal(*cast(self)->image);
  Py_RETURN_NONE;
}

PyObject* repr(PyObject* self) {
  const image::View& view = cast(self)->image->view();
  const bool is_data = cast(self)->image->is_data();
  const size_t count = is_data ? view.roots().size() : view.modules().size();
  return PyUnicode_FromFormat("<tenure.Image %R: %zd %s%s>", cast(self)->path,
                              static_cast<Py_ssize_t>(count), is_data ? "root" : "module",
                              count == 1 ? "" : "s");
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(cast(self)->module);
  return 0;
}

int clear(PyObject*) { return 0; }  // the module is needed until the end; it breaks the cycle

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(cast(self)->module);
  Py_CLEAR(cast(self)->path);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyGetSetDef attributes[] = {
    {"modules", get_modules, nullptr, "Names of the frozen modules: a sorted tuple of str.",
     nullptr},
    {"path", get_path, nullptr, "The file it was loaded from: str.", nullptr},
    {"prelinked", get_prelinked, nullptr,
     "True if it is mapped where it was written for, by the very interpreter that wrote it, so\n"
     "that no pointer had to be changed.",
     nullptr},
    {"root", get_root, nullptr,
     "The root of an image of data that has one. AttributeError if it has several, or none.",
     nullptr},
    {"roots", get_roots, nullptr, "The roots by name: a read-only mapping from str.", nullptr},
    {"sealed", get_sealed, nullptr, "True while it is write-protected, see seal().", nullptr},
    {}};

PyMethodDef methods[] = {
    {"stats", stats, METH_NOARGS,
     "stats($self, /)\n--\n\nWhat loading and importing took so far: a dict of counts; times in "
     "ns."},
    {"preload", preload, METH_NOARGS,
     "preload($self, /)\n--\n\n"
     "Check, relocate and intern every module now, as their first import would; runs none of "
     "them.\n"
     "Raises ImageError if one is damaged."},
    {"verify", verify, METH_NOARGS,
     "verify($self, /)\n--\n\n"
     "Preload, then walk every object and check it. Returns a dict of counts. Raises ImageError\n"
     "naming the first object that is wrong."},
    {"seal", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(seal)),
     METH_VARARGS | METH_KEYWORDS,
     "seal($self, /, *, explain=True)\n--\n\n"
     "Preload, fill in what the interpreter would write later (hashes, UTF-8 forms, intern "
     "states),\n"
     "and write-protect every page that holds no code. Who writes there ends the process with\n"
     "SIGSEGV; with explain=True, a line on stderr says before who and where. Does nothing if it "
     "is\n"
     "sealed. Raises ImageError or MemoryError; it is not sealed then. Without a GIL that is "
     "always "
     "so:\n"
     "seal it as it is loaded."},
    {"unseal", unseal, METH_NOARGS,
     "unseal($self, /)\n--\n\nMake it writable again. Does nothing if it is not sealed."},
    {}};

PyType_Slot slots[] = {
    {Py_tp_getset, attributes},
    {Py_tp_methods, methods},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_doc, const_cast<char*>("A loaded image. Stays loaded until the process ends.")},
    {}};

PyType_Spec spec = {"tenure.Image", sizeof(ImageObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                        Py_TPFLAGS_IMMUTABLETYPE,
                    slots};

PyObject* make_image_object(PyObject* module, image::Image* image, PyObject* path) {
  State& state = state_of(module);
  auto* type = reinterpret_cast<PyTypeObject*>(state.image_type);
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  cast(self)->image = image;
  cast(self)->module = Py_NewRef(module);
  cast(self)->path = Py_NewRef(path);
  return self;
}

bool wants_seal(const image::Image& image) {
  const auto policy = static_cast<image::HashPolicy>(image.view().header().hash_policy);
  return policy == image::HashPolicy::kSealed;
}

// What this interpreter has not loaded before. Null with `problem`.
image::Image* load_first(importer::Importer& importer, const std::string& path,
                         const image::FileId& file, image::Check check, bool seal,
                         image::Problem& problem) {
  if (image::Image* image = importer.adopt(file)) {
    // Only now: who has unsealed it since then had a reason. Where other threads may use it
    // already, it stays as it is.
    const bool seal_now = wants_seal(*image) && !abi::kFreeThreaded;
    return !seal_now || seal_image(*image, true, problem) ? image : nullptr;
  }
  std::unique_ptr<image::Image> opened = image::Image::open(path, check, problem);
  if (opened == nullptr) return nullptr;
  seal = seal || wants_seal(*opened);
  if (seal && !explain_writes(problem)) return nullptr;
  if (!importer.serve(*opened)) {
    problem.refuse_with_python_error("image");
    return nullptr;
  }
  return importer.add(std::move(opened), seal, problem);
}

bool parse_check(PyObject* object, image::Check& check) {
  if (object == nullptr || (PyUnicode_Check(object) && PyUnicode_EqualToUTF8(object, "lazy"))) {
    check = image::Check::kLazy;
    return true;
  }
  if (PyUnicode_Check(object) && PyUnicode_EqualToUTF8(object, "full")) {
    check = image::Check::kFull;
    return true;
  }
  PyErr_Format(PyExc_ValueError, "check must be 'lazy' or 'full', not %R", object);
  return false;
}

}  // namespace

PyObject* make_image_type(PyObject* module) {
  return PyType_FromModuleAndSpec(module, &spec, nullptr);
}

PyObject* load(PyObject* module, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"", "check", "seal", nullptr};
  PyObject* path_object = nullptr;
  PyObject* check_object = nullptr;
  int sealed = 0;
  std::string path;
  image::Check check;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$Op:load", const_cast<char**>(names),
                                   &path_object, &check_object, &sealed) ||
      !to_path(path_object, path) || !parse_check(check_object, check) ||
      PySys_Audit("tenure.load", "O", path_object) < 0) {
    return nullptr;
  }
  State& state = state_of(module);
  image::Problem problem;
  image::FileId file;
  if (!image::identify(path, file, problem)) return state.importer.raise(path, problem);
  image::Image* image = state.importer.find_image(file);
  if (image == nullptr) {
    image = load_first(state.importer, path, file, check, sealed != 0, problem);
    if (image == nullptr) return state.importer.raise(path, problem);
  } else if (!state.importer.serve(*image)) {
    return nullptr;
  }
  if (!state.unseals_at_end && PyInterpreterState_Get() == PyInterpreterState_Main()) {
    if (!image::unseal_all_at_end()) return nullptr;
    state.unseals_at_end = true;
  }
  if (sealed != 0 && !seal_image(*image, true, problem)) return state.importer.raise(path, problem);
  Result<> key = PyLong_FromVoidPtr(image);
  if (!key) return nullptr;
  PyObject* known = nullptr;
  if (PyDict_GetItemRef(state.images, key.get(), &known) != 0) return known;
  Result<> text =
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size()));
  if (!text) return nullptr;
  Result<> self = make_image_object(module, image, text.get());
  if (!self) return nullptr;
  // Another thread may have been faster.
  PyDict_SetDefaultRef(state.images, key.get(), self.get(), &known);
  return known;
}

}  // namespace tenure::extension
