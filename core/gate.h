// Gate: whether an interpreter can be entered from a thread that is not attached to it.
//
// A PyInterpreterState pointer says nothing about whether the interpreter still lives, and nobody
// outside can ask. The gate of an interpreter is made by a thread that is attached to it, is never
// freed, and is closed while the interpreter ends, by code that the interpreter runs then: who has
// entered is waited for, who comes later is turned away.
//
// One word holds the number of visitors and whether the gate is closed, so that entering and
// closing are each one atomic step and need no further order between them.
//
// Not for: interpreters that the caller is attached to anyway.
//
// Thread safety: any thread, attached or not, also after the interpreter's end, except where a
// function says otherwise.
#ifndef TENURE_CORE_GATE_H_
#define TENURE_CORE_GATE_H_

#include <atomic>
#include <cstdint>

#include "tenure/core/abi/thread.h"

namespace tenure {

class Gate {
 public:
  constexpr Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Requires: attached to the interpreter; not open before.
  void open();

  // True if this thread is attached to this interpreter, and it is not gone.
  bool is_attached() const {
    PyThreadState* state = abi::current_state();
    return state != nullptr && abi::interpreter_of(state) == interpreter();
  }

  // Null when the interpreter is gone: another may live at its address by then. Relaxed: a thread
  // attached to that other one was started after forget(), and ordered by what started it.
  PyInterpreterState* interpreter() const { return interpreter_.load(std::memory_order_relaxed); }

  bool is_main() const { return is_main_; }

  // Turns later visitors away and waits for those inside. Requires: attached to the interpreter;
  // detached while it waits, so other threads run.
  void close();

  // The interpreter is as good as gone, although the caller is still attached to it. After close().
  void forget();

  // Whether this was the gate of that interpreter, which has not been replaced by another since.
  // Requires: attached to that interpreter, which may be in the last steps of its end.
  bool was_of(PyInterpreterState* interpreter) const;

  // The runtime has ended; what it starts next are others.
  static void end_life();

  // In the child of a fork, where other threads are not: only this thread's visitors are left.
  void reset_visitors();

  // In the child of a fork, which has no interpreters but the main one. close() and forget().
  void close_after_fork() {
    state_.fetch_or(kClosed, std::memory_order_relaxed);
    interpreter_.store(nullptr, std::memory_order_relaxed);
  }

 private:
  friend class Attach;
  friend class Visit;

  static constexpr uint32_t kClosed = 1;
  static constexpr uint32_t kVisitor = 2;

  // Of this thread.
  uint32_t count_own_visitors() const;

  // False if the gate is closed. Partner: close(); each reads what the other's step left.
  bool enter();
  void leave();

  std::atomic<uint32_t> state_{kClosed};
  std::atomic<PyInterpreterState*> interpreter_{nullptr};
  // Written by open(), before anybody can enter.
  abi::InterpreterView view_;
  bool is_main_ = false;
  int64_t id_ = -1;    // the interpreter's, which no other has while the runtime lives
  uint32_t life_ = 0;  // of the runtime
};

// Keeps an interpreter from ending for as long as it lives, without attaching to it.
// Requires: destroyed by the thread that made it.
class [[nodiscard]] Visit {
 public:
  explicit Visit(Gate& gate);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  // False if the interpreter has ended or is about to.
  explicit operator bool() const { return inside_; }

  // How many of this thread are inside that gate.
  static uint32_t of_this_thread(const Gate& gate);

 private:
  Gate& gate_;
  const bool inside_;
  Visit* outer_ = nullptr;
};

}  // namespace tenure

#endif  // TENURE_CORE_GATE_H_
