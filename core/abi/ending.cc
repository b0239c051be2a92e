#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/ending.h"

#include <internal/pycore_interp.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>

namespace tenure::abi {

namespace {

PyInterpreterState* main_interpreter() { return _PyRuntime.interpreters.main; }

}  // namespace

bool knows_runtime() {
  const _Py_DebugOffsets& stated = _PyRuntime.debug_offsets;
  const auto& interpreter = stated.interpreter_state;
  // The main interpreter stands at the end of the runtime. Its own end, of which nothing is asked
  // here, is longer in a build with a JIT than headers say.
  return stated.runtime_state.size - interpreter.size ==
             sizeof(_PyRuntimeState) - sizeof(PyInterpreterState) &&
         stated.runtime_state.interpreters_head == offsetof(_PyRuntimeState, interpreters.head) &&
         interpreter.gc == offsetof(PyInterpreterState, gc) &&
         interpreter.sysdict == offsetof(PyInterpreterState, sysdict) &&
         interpreter.gil_runtime_state_holder == offsetof(PyInterpreterState, _gil.last_holder);
}

bool is_main_thread() {
  return PyThread_get_thread_ident() == _PyRuntime.main_thread &&
         PyThreadState_Get() == _PyRuntime.main_tstate;
}

bool is_ending() { return main_interpreter()->finalizing != 0 || Py_IsFinalizing() != 0; }

bool shows_its_end() {
  const PyConfig& config = main_interpreter()->config;
  return config.verbose != 0 || config.malloc_stats != 0 || config.dump_refs != 0 ||
         config.show_ref_count != 0;
}

PyObject* collector_callbacks() { return main_interpreter()->gc.callbacks; }

bool ends_as_interrupt(PyObject* error) {
#if PY_VERSION_HEX >= 0x030E0000
  return PyErr_GivenExceptionMatches(error, PyExc_KeyboardInterrupt) != 0;
#else
  return Py_IS_TYPE(error, reinterpret_cast<PyTypeObject*>(PyExc_KeyboardInterrupt));
#endif
}

bool is_held_by_other(PyObject* file, PyTypeObject* type) {
  // Whose thread holds the lock, the size of the buffer, that size less one if it is a power of
  // two, and the dict: in this order, and the last is the one whose place is told.
  const Py_ssize_t dict = type->tp_dictoffset;
  if (dict < static_cast<Py_ssize_t>(sizeof(PyObject) + 3 * sizeof(Py_ssize_t))) return false;
  const auto* fields =
      reinterpret_cast<const Py_ssize_t*>(reinterpret_cast<const char*>(file) + dict);
  const Py_ssize_t size = fields[-2];
  const Py_ssize_t mask = fields[-1];
  if (size <= 0 || mask != ((size & (size - 1)) == 0 ? size - 1 : 0)) return false;
  const auto owner = static_cast<unsigned long>(fields[-3]);
  return owner != 0 && owner != PyThread_get_thread_ident();
}

void call_functions_of_runtime() {
  auto& state = _PyRuntime.atexit;
  // Nobody else registers any more: the other threads cannot attach.
  while (state.ncallbacks > 0) {
    const auto function = state.callbacks[--state.ncallbacks];
    state.callbacks[state.ncallbacks] = nullptr;
    function();
  }
}

}  // namespace tenure::abi
