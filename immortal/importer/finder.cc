// The finder on sys.meta_path.

#include "tenure/core/strong.h"
#include "tenure/immortal/importer/importer.h"

namespace tenure::importer {
namespace {

PyObject* find_spec(PyObject*, PyTypeObject* defining_class, PyObject* const* args,
                    Py_ssize_t count, PyObject* keywords) {
  // find_spec(fullname, path=None, target=None): only the name matters here.
  const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  PyObject* name = count > 0 ? args[0] : nullptr;
  for (Py_ssize_t i = 0; name == nullptr && i < total - count; ++i) {
    if (PyUnicode_EqualToUTF8(PyTuple_GET_ITEM(keywords, i), "fullname")) name = args[count + i];
  }
  if (name == nullptr || total > 3 || !PyUnicode_Check(name)) {
    PyErr_SetString(
        PyExc_TypeError,
        "find_spec() takes the module's full name, a str, and optionally path and target");
    return nullptr;
  }
  Importer* importer = importer_of(defining_class);
  const auto found = importer->find_module(name);
  if (found.module == nullptr) Py_RETURN_NONE;
  // Damage is found here, before anything says that the module exists.
  if (importer->code(found) == nullptr) return nullptr;
  return importer->make_spec(found, name);
}

PyObject* invalidate_caches(PyObject*, PyObject*) { Py_RETURN_NONE; }

PyMethodDef methods[] = {
    {"find_spec", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(find_spec)),
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "find_spec($self, fullname, path=None, target=None, /)\n--\n\n"
     "The spec of a frozen module, or None: then the next finder is asked.\n\n"
     "Raises ImageError if the module's bytes in the image are damaged."},
    {"invalidate_caches", invalidate_caches, METH_NOARGS,
     "invalidate_caches($self, /)\n--\n\nDoes nothing: images do not change."},
    {}};

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

PyType_Slot slots[] = {{Py_tp_methods, methods},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_doc, const_cast<char*>("Finds modules in the loaded images.")},
                       {}};

PyType_Spec spec = {"tenure._tenure.ImageFinder", sizeof(PyObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                        Py_TPFLAGS_IMMUTABLETYPE,
                    slots};

}  // namespace

PyObject* make_finder_type(PyObject* module) {
  return PyType_FromModuleAndSpec(module, &spec, nullptr);
}

PyObject* make_finder(PyObject* type) {
  auto* finder_type = reinterpret_cast<PyTypeObject*>(type);
  return finder_type->tp_alloc(finder_type, 0);
}

}  // namespace tenure::importer
