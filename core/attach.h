// Whether this thread may touch Python objects, and giving that right up for a while.
//
// "Attached" is the C API's word: this thread has a current thread state of an interpreter, and on
// GIL builds holds that interpreter's GIL.
//
// Not for: guarding data. Being attached orders nothing between threads of a free-threaded build.
#ifndef TENURE_CORE_ATTACH_H_
#define TENURE_CORE_ATTACH_H_

#include "tenure/core/abi/python.h"

namespace tenure {

// True if this thread is attached to some interpreter. Thread state: any.
inline bool is_attached() { return PyThreadState_GetUnchecked() != nullptr; }

// True if this thread is attached to that interpreter. Thread state: any.
inline bool is_attached_to(PyInterpreterState* interpreter) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  return state != nullptr && PyThreadState_GetInterpreter(state) == interpreter;
}

// Detaches for as long as it lives, so that other threads can run Python: put it around reading
// files and long computing. Nothing in its scope may touch a Python object.
// Requires: attached. Attached again, to the same interpreter, when it is destroyed.
class [[nodiscard]] Detach {
 public:
  Detach() : state_(PyEval_SaveThread()) {}
  ~Detach() { PyEval_RestoreThread(state_); }
  Detach(const Detach&) = delete;
  Detach& operator=(const Detach&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace tenure

#endif  // TENURE_CORE_ATTACH_H_
