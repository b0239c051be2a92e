#include "tenure/core/abi/thread.h"

namespace tenure::abi {

#if PY_VERSION_HEX >= 0x030f0000

bool view_of_current(InterpreterView& view) {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  PyInterpreterView* made = PyInterpreterView_FromCurrent();
  if (made == nullptr) return false;
  view = {interpreter, interpreter == PyInterpreterState_Main(), made};
  return true;
}

void close_view(InterpreterView& view) {
  if (view.view != nullptr) PyInterpreterView_Close(static_cast<PyInterpreterView*>(view.view));
  view.view = nullptr;
}

bool attach(const InterpreterView& view, Attachment& attachment) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && interpreter_of(state) == view.interpreter) {
    attachment.kind = Attachment::Kind::kNested;
    return true;
  }
  attachment.token = PyThreadState_EnsureFromView(static_cast<PyInterpreterView*>(view.view));
  if (attachment.token == nullptr) return false;
  attachment.kind = Attachment::Kind::kEnsured;
  return true;
}

void detach(const Attachment& attachment) {
  if (attachment.kind == Attachment::Kind::kEnsured) PyThreadState_Release(attachment.token);
}

#else

bool view_of_current(InterpreterView& view) {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  view = {interpreter, interpreter == PyInterpreterState_Main(), nullptr};
  return true;
}

void close_view(InterpreterView&) {}

bool attach(const InterpreterView& view, Attachment& attachment) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && interpreter_of(state) == view.interpreter) {
    attachment.kind = Attachment::Kind::kNested;
    return true;
  }
  // PyGILState_Ensure() would go on with whatever thread state this thread had before.
  PyThreadState* known = PyGILState_GetThisThreadState();
  const bool by_gil_state =
      view.is_main && (known == nullptr || interpreter_of(known) == view.interpreter);
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

#endif

}  // namespace tenure::abi
