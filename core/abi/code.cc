#include "tenure/core/abi/code.h"

#include "tenure/core/abi/layout.h"

namespace tenure::abi {

bool runs_once(PyObject* code) {
  return (reinterpret_cast<PyCodeObject*>(code)->co_flags & CO_OPTIMIZED) == 0;
}

bool is_unused(PyObject* object) {
  const auto* code = reinterpret_cast<PyCodeObject*>(object);
  return code->_co_monitoring == nullptr && code->co_executors == nullptr;
}

void set_code_version(void* code, uint32_t version) {
  static_cast<PyCodeObject*>(code)->co_version = version;
}

uint32_t code_version(const void* code) {
  return static_cast<const PyCodeObject*>(code)->co_version;
}

}  // namespace tenure::abi
