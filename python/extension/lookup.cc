#include "tenure/python/extension/lookup.h"

namespace tenure::extension {

Strong imported(const char* name) {
  const Strong text = PyUnicode_FromString(name);
  Strong module = text ? PyImport_GetModule(text.get()) : nullptr;
  if (!module) PyErr_Clear();
  return module;
}

Strong attribute(PyObject* object, const char* name) {
  PyObject* found = nullptr;
  if (PyObject_GetOptionalAttrString(object, name, &found) < 0) PyErr_Clear();
  return found;
}

}  // namespace tenure::extension
