// Whether this thread may touch Python objects, and giving that right up for a while.
//
// "Attached" is the C API's word: this thread has a current thread state of an interpreter, and on
// GIL builds holds that interpreter's GIL.
//
// Not for: guarding data. Being attached orders nothing between threads of a free-threaded build.
//
// Thread safety: each function says what it asks of the thread.
#ifndef TENURE_CORE_ATTACH_H_
#define TENURE_CORE_ATTACH_H_

#include <cassert>

#include "tenure/core/abi/thread.h"
#include "tenure/core/gate.h"

namespace tenure {

// True if this thread is attached to some interpreter. Thread state: any.
inline bool is_attached() { return abi::current_state() != nullptr; }

// True if this thread is attached to that interpreter. Thread state: any.
inline bool is_attached_to(PyInterpreterState* interpreter) {
  PyThreadState* state = abi::current_state();
  return state != nullptr && abi::interpreter_of(state) == interpreter;
}

// The caller's word that this thread is attached, where a function would otherwise need it from a
// comment. Costs nothing; debug builds check it.
class Attached {
 public:
  // Requires: attached, and for as long as the token is used.
  static Attached current() {
    assert(is_attached());
    return Attached();
  }

 private:
  Attached() = default;
};

// Attaches for as long as it lives, from any thread, to the interpreter of a gate:
//
//   Attach attach(queue.gate());
//   if (!attach) return;  // the interpreter has ended
//   use(attach.token());
//
// A thread that is attached to that interpreter already goes on as it is; one that is attached to
// another comes back to it at the end of the scope. The interpreter does not end in between.
//
// Waits for the GIL. Requires: scopes of one thread end in the opposite order of their beginning.
class [[nodiscard]] Attach {
 public:
  explicit Attach(Gate& gate);
  ~Attach();
  Attach(const Attach&) = delete;
  Attach& operator=(const Attach&) = delete;

  // False if the interpreter has ended or is about to, or there is no memory for a thread state.
  explicit operator bool() const { return inside_; }

  // Requires: true.
  Attached token() const {
    assert(inside_);
    return Attached::current();
  }

  // How many scopes of this thread are inside that gate.
  static uint32_t scopes_of_this_thread(const Gate& gate);

 private:
  Gate& gate_;
  Attach* outer_ = nullptr;
  abi::Attachment attachment_;
  bool inside_ = false;
};

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
