#include "tenure/core/abi/thread.h"

namespace tenure::abi {

InterpreterView view_of_current() {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  return {interpreter, interpreter == PyInterpreterState_Main()};
}

bool attach(const InterpreterView& view, Attachment& attachment) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && interpreter_of(state) == view.interpreter) {
    attachment.kind = Attachment::Kind::kNested;
    return true;
  }
  // Who comes now would be kept for ever, or (3.14) have its state freed under it.
  if (Py_IsFinalizing() != 0) return false;
  // PyGILState_Ensure() would go on with whatever thread state this thread had before.
  PyThreadState* known = PyGILState_GetThisThreadState();
  // Nor without memory for a new one, but end the process.
  const bool by_gil_state =
      known != nullptr && interpreter_of(known) == view.interpreter && view.is_main;
  PyThreadState* own = nullptr;
  if (!by_gil_state) {
    own = PyThreadState_New(view.interpreter);
    if (own == nullptr) return false;
  }
  if (state != nullptr) attachment.prior = PyEval_SaveThread();
  if (by_gil_state) {
    attachment.kind = Attachment::Kind::kEnsured;
    attachment.gil_state = PyGILState_Ensure();
  } else {
    attachment.kind = Attachment::Kind::kOwn;
    PyEval_RestoreThread(own);
  }
  return true;
}

void detach(const Attachment& attachment) {
  switch (attachment.kind) {
    case Attachment::Kind::kNested:
      return;
    case Attachment::Kind::kEnsured:
      PyGILState_Release(static_cast<PyGILState_STATE>(attachment.gil_state));
      break;
    case Attachment::Kind::kOwn:
      PyThreadState_Clear(PyThreadState_Get());
      PyThreadState_DeleteCurrent();
      break;
  }
  if (attachment.prior != nullptr) PyEval_RestoreThread(attachment.prior);
}

}  // namespace tenure::abi
