// The loader of frozen modules: a SourceFileLoader whose code comes from an image.

#include "tenure/core/strong.h"
#include "tenure/immortal/importer/importer.h"

namespace tenure::importer {
namespace {

// What SourceFileLoader's method of that name answers. New reference.
PyObject* ask_super(PyObject* self, PyTypeObject* defining_class, const char* method,
                    PyObject* argument) {
  Strong super =
      PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type),
                                   reinterpret_cast<PyObject*>(defining_class), self, nullptr);
  return super ? PyObject_CallMethod(super.get(), method, "O", argument) : nullptr;
}

// The code from the image or, for a name no image has, from the source file. New reference.
PyObject* code_of(PyObject* self, PyTypeObject* defining_class, PyObject* name) {
  Importer* importer = importer_of(defining_class);
  const auto found = importer->find_module(name);
  if (found.module != nullptr) return Py_XNewRef(importer->code(found));
  return ask_super(self, defining_class, "get_code", name);
}

PyObject* get_code(PyObject* self, PyTypeObject* defining_class, PyObject* const* args,
                   Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  if (total != 1) {
    PyErr_SetString(PyExc_TypeError, "get_code() takes the module's full name and nothing else");
    return nullptr;
  }
  return code_of(self, defining_class, args[0]);
}

PyObject* exec_module(PyObject* self, PyTypeObject* defining_class, PyObject* const* args,
                      Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t total = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
  if (total != 1) {
    PyErr_SetString(PyExc_TypeError, "exec_module() takes the module and nothing else");
    return nullptr;
  }
  Strong name = PyObject_GetAttrString(args[0], "__name__");
  if (!name) return nullptr;
  Strong code = code_of(self, defining_class, name.get());
  if (!code) return nullptr;
  if (code.get() == Py_None) {
    PyErr_Format(PyExc_ImportError, "cannot load module %R: there is no code of it", name.get());
    return nullptr;
  }
  if (!importer_of(defining_class)->execute(code.get(), args[0])) return nullptr;
  Py_RETURN_NONE;
}

// None for a module that was frozen from a .pyc without a source, as SourcelessFileLoader has it.
PyObject* get_source(PyObject* self, PyTypeObject* defining_class, PyObject* const* args,
                     Py_ssize_t count, PyObject* keywords) {
  if (count + (keywords ? PyTuple_GET_SIZE(keywords) : 0) != 1) {
    PyErr_SetString(PyExc_TypeError, "get_source() takes the module's full name and nothing else");
    return nullptr;
  }
  Strong path = PyObject_GetAttrString(self, "path");
  if (!path) return nullptr;
  Strong suffix = PyUnicode_FromString(".pyc");
  if (!suffix) return nullptr;
  const Py_ssize_t sourceless = PyUnicode_Tailmatch(path.get(), suffix.get(), 0, PY_SSIZE_T_MAX, 1);
  if (sourceless < 0) return nullptr;
  if (sourceless) Py_RETURN_NONE;
  return ask_super(self, defining_class, "get_source", args[0]);
}

PyMethodDef methods[] = {
    {"get_source", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(get_source)),
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "get_source($self, fullname, /)\n--\n\nThe text of the source file; None if there was none."},
    {"get_code", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(get_code)),
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "get_code($self, fullname, /)\n--\n\nThe module's code object, from the image."},
    {"exec_module", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(exec_module)),
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     "exec_module($self, module, /)\n--\n\nRuns the module's code in the module."},
    {}};

PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_doc, const_cast<char*>("A SourceFileLoader that takes code from an image.")},
    {}};

PyType_Spec spec = {"tenure._tenure.ImageLoader", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                    slots};

}  // namespace

PyObject* make_loader_type(PyObject* module, PyObject* base) {
  return PyType_FromModuleAndSpec(module, &spec, base);
}

}  // namespace tenure::importer
