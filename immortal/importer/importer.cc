#include "tenure/immortal/importer/importer.h"

#include <mutex>
#include <utility>

#include "tenure/core/abi/thread.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/sealing.h"
#include "tenure/immortal/image/shared_images.h"

namespace tenure::importer {
namespace {

// An attribute of a module that the interpreter has had since it started.
PyObject* core_attribute(const char* module_name, const char* name) {
  Strong module = PyImport_ImportModule(module_name);
  return module ? PyObject_GetAttrString(module.get(), name) : nullptr;
}

// What a package's __path__ starts with: the folder of its __init__.py. New reference.
PyObject* folder_of(PyObject* path) {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(path);
  const Py_ssize_t slash = PyUnicode_FindChar(path, '/', 0, length, -1);
  if (slash == -2) return nullptr;
  return PyUnicode_Substring(path, 0, slash < 0 ? 0 : slash);
}

// Guards the images of all importers, and is held while one is made ready: threads that load the
// same file get one image, and none sees it before. Nothing that is done meanwhile runs Python code
// or waits for another thread, so a fork, which stops the others first, finds it free.
constinit abi::AttachedLock loading;

}  // namespace

Importer::~Importer() { clear(); }

bool Importer::init(PyObject* module, PyObject* image_error) {
  image_error_ = Py_NewRef(image_error);
  Strong finder_type = make_finder_type(module);
  if (!finder_type) return false;
  finder_ = make_finder(finder_type.get());
  Strong source_loader = core_attribute("_frozen_importlib_external", "SourceFileLoader");
  if (!source_loader) return false;
  loader_type_ = make_loader_type(module, source_loader.get());
  module_spec_ = core_attribute("_frozen_importlib", "ModuleSpec");
  call_with_frames_removed_ = core_attribute("_frozen_importlib", "_call_with_frames_removed");
  exec_ = core_attribute("builtins", "exec");
  names_.origin = PyUnicode_InternFromString("origin");
  names_.has_location = PyUnicode_InternFromString("has_location");
  names_.cached = PyUnicode_InternFromString("cached");
  names_.locations = PyUnicode_InternFromString("submodule_search_locations");
  names_.dict = PyUnicode_InternFromString("__dict__");
  if (!names_.origin || !names_.has_location || !names_.cached || !names_.locations ||
      !names_.dict) {
    return false;
  }
  return finder_ != nullptr && loader_type_ != nullptr && module_spec_ != nullptr &&
         call_with_frames_removed_ != nullptr && exec_ != nullptr;
}

bool Importer::install_finder() {
  PyObject* meta_path = PySys_GetObject("meta_path");
  if (meta_path == nullptr || !PyList_Check(meta_path)) {
    PyErr_SetString(PyExc_RuntimeError, "sys.meta_path is not a list, so nothing can be imported");
    return false;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(meta_path); ++i) {
    if (PyList_GET_ITEM(meta_path, i) == finder_) return true;
  }
  return PyList_Insert(meta_path, 0, finder_) == 0;
}

bool Importer::serve(const image::Image& image) {
  return image.view().modules().empty() || install_finder();
}

image::Image* Importer::add(std::unique_ptr<image::Image> opened, bool seal,
                            image::Problem& problem) {
  const std::lock_guard lock(loading);
  if (image::Image* known = find_locked(opened->mapping().file())) return known;
  if (!opened->make_ready(problem)) return nullptr;
  images_.push_back(image::share(std::move(opened)));
  image::Image* image = images_.back().get();
  return !seal || image::seal(*image, problem) ? image : nullptr;
}

image::Image* Importer::adopt(const image::FileId& file) {
  const std::lock_guard lock(loading);
  if (image::Image* known = find_locked(file)) return known;
  std::shared_ptr<image::Image> shared = image::find_shared(file);
  if (shared == nullptr) return nullptr;
  images_.push_back(std::move(shared));
  return images_.back().get();
}

image::Image* Importer::find_image(const image::FileId& file) const {
  const std::lock_guard lock(loading);
  return find_locked(file);
}

image::Image* Importer::find_locked(const image::FileId& file) const {
  for (const auto& image : images_) {
    if (image->mapping().file() == file) return image.get();
  }
  return nullptr;
}

PyObject* Importer::raise(const std::string& path, const image::Problem& problem) const {
  if (problem.python_error) return nullptr;
  Strong path_object = PyUnicode_DecodeFSDefault(path.c_str());
  if (!path_object) return nullptr;
  Strong where = PyUnicode_DecodeUTF8(problem.where.data(),
                                      static_cast<Py_ssize_t>(problem.where.size()), "replace");
  if (!where) return nullptr;
  Strong what = PyUnicode_DecodeUTF8(problem.what.data(),
                                     static_cast<Py_ssize_t>(problem.what.size()), "replace");
  if (!what) return nullptr;
  Strong message =
      PyUnicode_FromFormat("%U: the %U %U", path_object.get(), where.get(), what.get());
  if (!message) return nullptr;
  Strong error = PyObject_CallOneArg(image_error_, message.get());
  if (!error || PyObject_SetAttrString(error.get(), "path", path_object.get()) < 0 ||
      PyObject_SetAttrString(error.get(), "where", where.get()) < 0) {
    return nullptr;
  }
  PyErr_SetObject(image_error_, error.get());
  return nullptr;
}

Importer::Found Importer::find_module(std::string_view name) const {
  const std::lock_guard lock(loading);
  for (const auto& image : images_) {
    if (const image::ModuleEntry* module = image->view().find_module(name)) {
      return {image.get(), module};
    }
  }
  return {};
}

Importer::Found Importer::find_module(PyObject* name) const {
  if (!PyUnicode_Check(name)) return {};
  Py_ssize_t bytes = 0;
  const char* text = PyUnicode_AsUTF8AndSize(name, &bytes);
  if (text == nullptr) {
    PyErr_Clear();
    return {};
  }
  return find_module(std::string_view(text, static_cast<size_t>(bytes)));
}

PyObject* Importer::code(const Found& found) const {
  image::Problem problem;
  found.image->expect_run(found.module->group);
  if (!found.image->prepare(found.module->group, problem)) {
    return raise(found.image->path(), problem);
  }
  PyObject* code = found.image->object(found.module->code);
  if (!PyCode_Check(code)) {
    problem.refuse(found.image->view().group_name(found.module->group),
                   "has no code where its code should be");
    return raise(found.image->path(), problem);
  }
  for (uint64_t path : {found.module->origin_object, found.module->cached_object}) {
    if (path == 0 || Py_IS_TYPE(found.image->object(path), &PyUnicode_Type)) continue;
    problem.refuse(found.image->view().group_name(found.module->group),
                   "has no path where its path should be");
    return raise(found.image->path(), problem);
  }
  return code;
}

PyObject* Importer::make_spec(const Found& found, PyObject* name) const {
  PyObject* origin = found.image->object(found.module->origin_object);
  Strong loader = PyObject_CallFunctionObjArgs(loader_type_, name, origin, nullptr);
  if (!loader) return nullptr;
  Strong spec = PyObject_CallFunctionObjArgs(module_spec_, name, loader.get(), nullptr);
  if (!spec) return nullptr;
  PyObject* result = spec.get();
  if (PyObject_SetAttr(result, names_.origin, origin) < 0 ||
      PyObject_SetAttr(result, names_.has_location, Py_True) < 0) {
    return nullptr;
  }
  if (found.module->cached_object != 0 &&
      PyObject_SetAttr(result, names_.cached, found.image->object(found.module->cached_object)) <
          0) {
    return nullptr;
  }
  if (found.module->flags & image::kPackage) {
    Strong folder = folder_of(origin);
    if (!folder) return nullptr;
    Strong locations = PyList_New(1);
    if (!locations) return nullptr;
    PyList_SET_ITEM(locations.get(), 0, std::move(folder).release());
    if (PyObject_SetAttr(result, names_.locations, locations.get()) < 0) {
      return nullptr;
    }
  }
  return std::move(spec).release();
}

bool Importer::execute(PyObject* code, PyObject* module) const {
  Strong globals = PyObject_GetAttr(module, names_.dict);
  if (!globals) return false;
  const Strong done =
      PyObject_CallFunctionObjArgs(call_with_frames_removed_, exec_, code, globals.get(), nullptr);
  return static_cast<bool>(done);
}

int Importer::traverse(visitproc visit, void* arg) const {
  Py_VISIT(image_error_);
  Py_VISIT(finder_);
  Py_VISIT(loader_type_);
  Py_VISIT(module_spec_);
  Py_VISIT(call_with_frames_removed_);
  Py_VISIT(exec_);
  return 0;
}

void Importer::clear() {
  Py_CLEAR(image_error_);
  Py_CLEAR(finder_);
  Py_CLEAR(loader_type_);
  Py_CLEAR(module_spec_);
  Py_CLEAR(call_with_frames_removed_);
  Py_CLEAR(exec_);
  Py_CLEAR(names_.origin);
  Py_CLEAR(names_.has_location);
  Py_CLEAR(names_.cached);
  Py_CLEAR(names_.locations);
  Py_CLEAR(names_.dict);
}

Importer* importer_of(PyTypeObject* defining_class) {
  return static_cast<Importer*>(PyType_GetModuleState(defining_class));
}

}  // namespace tenure::importer
