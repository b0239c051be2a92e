#include "tenure/core/abi/immortal.h"

#include <cstring>

#include "tenure/core/abi/layout.h"

namespace tenure::abi {

bool is_immortal(PyObject* object) { return _Py_IsImmortal(object) != 0; }

void make_immortal(PyObject* object) {
  if (PyObject_IS_GC(object) && PyObject_GC_IsTracked(object)) PyObject_GC_UnTrack(object);
  std::memcpy(object, &layout::kImmortalCount, offsetof(PyObject, ob_type));
}

}  // namespace tenure::abi
