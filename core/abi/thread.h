// Thread states: which interpreter a thread is attached to, and attaching one from outside.
//
// The caller has to know that the interpreter lives. 3.15 could be asked to wait with its end (PEP
// 788), but waits in the child of a fork as well, for threads that are not there.
//
// Not for: anything outside core. Use core/attach.h.
#ifndef TENURE_CORE_ABI_THREAD_H_
#define TENURE_CORE_ABI_THREAD_H_

#include <atomic>
#include <cstddef>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// What a thread state belongs to. The function of the C API does the same, as a call.
inline PyInterpreterState* interpreter_of(PyThreadState* state) { return state->interp; }

namespace internal {
// Where the interpreter keeps a thread's state, from the thread pointer on; 0 if that is not known.
// Written once, by find_current_state(); relaxed, because 0 is always right.
extern std::atomic<ptrdiff_t> current_state_offset;
}  // namespace internal

// PyThreadState_GetUnchecked() without the call, which is the dearest part of dropping a reference.
inline PyThreadState* current_state() {
  const ptrdiff_t offset = internal::current_state_offset.load(std::memory_order_relaxed);
  if (offset == 0) [[unlikely]] {
    return PyThreadState_GetUnchecked();
  }
  // Volatile: every call that attaches or detaches changes it.
  return *reinterpret_cast<PyThreadState* volatile*>(
      static_cast<char*>(__builtin_thread_pointer()) + offset);
}

// Reads out of the function what it reads; where it is not one of the two forms that compilers give
// it, it goes on being called. Requires: attached.
void find_current_state();

// Whether a Python exception is set. Requires: state is this thread's and attached.
inline bool has_error(PyThreadState* state) { return state->current_exception != nullptr; }

// Whether the process has an interpreter besides the one this thread is attached to. Requires:
// attached.
bool has_other_interpreters();

// The dict that a thread keeps things of its own in, borrowed; null if it has none. Requires:
// attached to the interpreter of the state.
inline PyObject* dict_of(PyThreadState* state) { return state->dict; }

// Drops a reference if there are others, so that it is a subtraction and no destructor can run.
// False if it did not, because this may be the last one. Requires: attached.
inline bool try_plain_decref(PyObject* object) {
#ifdef Py_GIL_DISABLED
  // Nobody can know.
  (void)object;
  return false;
#else
  if (Py_REFCNT(object) == 1) return false;
  Py_DECREF(object);
  return true;
#endif
}

// An interpreter as seen by threads that are not attached to it.
struct InterpreterView {
  PyInterpreterState* interpreter = nullptr;
  bool is_main = false;
};

// Requires: attached.
InterpreterView view_of_current();

// How a thread came to be attached, and what it was attached to before.
struct Attachment {
  enum class Kind : unsigned char { kNested, kEnsured, kOwn };
  Kind kind = Kind::kNested;
  int gil_state = 0;               // of PyGILState_Ensure()
  PyThreadState* prior = nullptr;  // of another interpreter
};

// Attaches this thread. False if the runtime is ending or there is no memory for a thread state;
// the thread is then as it was. Waits for the GIL. Requires: the interpreter lives until detach().
bool attach(const InterpreterView& view, Attachment& attachment);

// Undoes attach(). Requires: attached as attach() left it.
void detach(const Attachment& attachment);

// A lock for what attached threads share. Nothing where the GIL is one already; where attached
// threads run in parallel, a mutex. Requires: attached; no Python code runs while it is held.
class AttachedLock {
 public:
  void lock() {
#ifdef Py_GIL_DISABLED
    PyMutex_Lock(&mutex_);
#ifdef __SANITIZE_THREAD__
    // What a contended lock does is in the interpreter, which ThreadSanitizer does not see.
    __tsan_acquire(this);
#endif
#endif
  }
  void unlock() {
#ifdef Py_GIL_DISABLED
#ifdef __SANITIZE_THREAD__
    __tsan_release(this);
#endif
    PyMutex_Unlock(&mutex_);
#endif
  }
  // In the child of a fork: whoever held it is not there.
  void reset_after_fork() {
#ifdef Py_GIL_DISABLED
    mutex_ = {};
#endif
  }

 private:
#ifdef Py_GIL_DISABLED
  PyMutex mutex_ = {};
#endif
};

// Whether attached threads of one interpreter run in parallel.
#ifdef Py_GIL_DISABLED
inline constexpr bool kFreeThreaded = true;
#else
inline constexpr bool kFreeThreaded = false;
#endif

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_THREAD_H_
