#include "tenure/core/abi/thread.h"

#include <mutex>

namespace tenure::abi {

#if PY_VERSION_HEX >= 0x030F0000

namespace {

// Guards keep their interpreter from ending, also in the child of a fork, where the threads are
// gone that would have given them back: so it is known who holds which.
constinit std::mutex guards;
Attachment* first_holder = nullptr;  // guarded by `guards`

thread_local char this_thread;

uintptr_t id_of_this_thread() { return reinterpret_cast<uintptr_t>(&this_thread); }

bool take_guard(const InterpreterView& view, Attachment& attachment) {
  const std::lock_guard lock(guards);
  attachment.guard = PyInterpreterGuard_FromView(static_cast<PyInterpreterView*>(view.view));
  if (attachment.guard == nullptr) return false;
  attachment.thread = id_of_this_thread();
  attachment.next = first_holder;
  first_holder = &attachment;
  return true;
}

void give_guard_back(Attachment& attachment) {
  const std::lock_guard lock(guards);
  Attachment** link = &first_holder;
  while (*link != &attachment) link = &(*link)->next;
  *link = attachment.next;
  PyInterpreterGuard_Close(static_cast<PyInterpreterGuard*>(attachment.guard));
}

}  // namespace

void before_fork() { guards.lock(); }
void after_fork() { guards.unlock(); }

void drop_guards_of_other_threads() {
  const std::lock_guard lock(guards);
  for (Attachment** link = &first_holder; *link != nullptr;) {
    Attachment& holder = **link;
    if (holder.thread == id_of_this_thread()) {
      link = &holder.next;
      continue;
    }
    *link = holder.next;
    PyInterpreterGuard_Close(static_cast<PyInterpreterGuard*>(holder.guard));
  }
}

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
  if (!take_guard(view, attachment)) return false;
  attachment.token = PyThreadState_Ensure(static_cast<PyInterpreterGuard*>(attachment.guard));
  if (attachment.token == nullptr) {
    give_guard_back(attachment);
    return false;
  }
  attachment.kind = Attachment::Kind::kEnsured;
  return true;
}

void detach(Attachment& attachment) {
  if (attachment.kind != Attachment::Kind::kEnsured) return;
  PyThreadState_Release(attachment.token);
  give_guard_back(attachment);
}

#else

bool view_of_current(InterpreterView& view) {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  view = {interpreter, interpreter == PyInterpreterState_Main(), nullptr};
  return true;
}

void close_view(InterpreterView&) {}

void before_fork() {}
void after_fork() {}
void drop_guards_of_other_threads() {}

bool attach(const InterpreterView& view, Attachment& attachment) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && interpreter_of(state) == view.interpreter) {
    attachment.kind = Attachment::Kind::kNested;
    return true;
  }
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
  // Asked after it is made: one made before the end began is known to it, and never attaches. This
  // one goes with its interpreter.
  if (Py_IsFinalizing() != 0) return false;
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

void detach(Attachment& attachment) {
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
