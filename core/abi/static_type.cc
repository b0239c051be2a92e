#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/static_type.h"

#include <cstddef>
#include <cstdint>

#include <internal/pycore_interp.h>

// Declared only in an internal header that C++ cannot include; exported since 3.13.
extern "C" int _PyStaticType_InitForExtension(PyInterpreterState* interpreter, PyTypeObject* type);

namespace tenure::abi {
namespace {

constexpr size_t kPlaces = _Py_MAX_MANAGED_STATIC_EXT_TYPES;

// Whether the interpreter's insides are where the headers say, which patch releases may change:
// int knows which of the built-in types it is.
bool knows_insides(PyInterpreterState* interpreter) {
  const auto number = reinterpret_cast<uintptr_t>(PyLong_Type.tp_subclasses);
  const auto& types = interpreter->types.builtins.initialized;
  return number > 0 && number <= sizeof types / sizeof types[0] &&
         types[number - 1].type == &PyLong_Type;
}

// A type gets its place from the interpreter in which it is first made ready, by a count that each
// interpreter has for itself: two types that came first in different ones would have the same.
// So ours takes the last place that is free, and is not counted.
class LastPlace {
 public:
  explicit LastPlace(PyInterpreterState* interpreter) {
    if (!knows_insides(interpreter)) return;
    auto& types = interpreter->types.for_extensions;
    size_t place = kPlaces;
    while (place > 0 && types.initialized[place - 1].type != nullptr) --place;
    if (place == 0) return;
    next_ = &types.next_index;
    before_ = *next_;
    *next_ = place - 1;
  }
  ~LastPlace() {
    if (next_ != nullptr) *next_ = before_;
  }
  LastPlace(const LastPlace&) = delete;
  LastPlace& operator=(const LastPlace&) = delete;

 private:
  size_t* next_ = nullptr;
  size_t before_ = 0;
};

}  // namespace

bool is_static_type_ready(const PyTypeObject* type) {
  return PyType_HasFeature(const_cast<PyTypeObject*>(type), Py_TPFLAGS_READY) != 0;
}

bool ready_static_type(PyTypeObject* type) {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  if (is_static_type_ready(type)) return _PyStaticType_InitForExtension(interpreter, type) == 0;
  const LastPlace place(interpreter);
  return _PyStaticType_InitForExtension(interpreter, type) == 0;
}

}  // namespace tenure::abi
