#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/allocator_moment.h"

#include "tenure/core/abi/python.h"

// What free-threaded interpreters have there is not needed.
#ifndef Py_GIL_DISABLED
#include <internal/pycore_runtime.h>
#endif

namespace tenure::abi {

#ifdef Py_GIL_DISABLED

AllocatorMoment allocator_moment() { return AllocatorMoment::kNever; }
bool has_debug_hooks() { return false; }

#else

AllocatorMoment allocator_moment() {
  if (_PyRuntime.interpreters.main != nullptr || _PyRuntime.core_initialized != 0) {
    return AllocatorMoment::kTooLate;
  }
  // After an interpreter has ended, everything but the numbers given to interpreters says that
  // Python is pre-initialised; pre-initialising it resets the runtime, allocators included.
  const bool is_stale = _PyRuntime.interpreters.next_id >= 0;
  if (_PyRuntime.preinitialized == 0 || is_stale) return AllocatorMoment::kTooEarly;
  switch (_PyRuntime.preconfig.allocator) {
    case PYMEM_ALLOCATOR_NOT_SET:
    case PYMEM_ALLOCATOR_DEFAULT:
    case PYMEM_ALLOCATOR_DEBUG:
      return AllocatorMoment::kNow;
    default:
      return AllocatorMoment::kAskedOtherwise;
  }
}

bool has_debug_hooks() { return _PyRuntime.allocators.is_debug_enabled; }

#endif

// Types are made ready by the first interpreter and keep their base for ever.
bool has_had_interpreter() { return PyFloat_Type.tp_base != nullptr; }

}  // namespace tenure::abi
