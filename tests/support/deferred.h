// What the tests of deferred decrefs share: objects that say when they die, threads, forks,
// waiting.
//
// Thread safety: each function says what it asks of the thread.
#ifndef TENURE_TESTS_SUPPORT_DEFERRED_H_
#define TENURE_TESTS_SUPPORT_DEFERRED_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"

namespace tenure::testing {

// Checks that pushed = drained + pending + leaked. Requires: nothing is pushed or drained
// meanwhile. Thread state: any.
void expect_balanced(const DecrefQueue& queue);

// Runs `body` on a thread of its own, which is not attached. Requires: attached; detached
// meanwhile.
void on_another_thread(const std::function<void()>& body);

// Long enough for a loaded machine and a sanitizer; what takes longer hangs.
inline constexpr std::chrono::seconds kPatience{30};

// Waits for it to become true. Thread state: as `holds` wants it.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds most = kPatience);

// The same. Requires: attached; detached meanwhile.
bool eventually_detached(const std::function<bool()>& holds,
                         std::chrono::milliseconds most = kPatience);

// Waits until nothing is pending, and the last of it is done. Requires: attached to the queue's
// interpreter; detached meanwhile.
bool drained_by_others(const DecrefQueue& queue, std::chrono::milliseconds most = kPatience);

// Does what is pending and waits until the queue's reaper sleeps, so that no test meets what
// another has begun. Requires: attached to the queue's interpreter; detached meanwhile.
void fall_idle(DecrefQueue& queue);

// Runs some Python code: free-threaded, a thread that made an object counts what other threads have
// dropped of it, and destroys it if need be, no sooner than then. Requires: attached.
void settle();

// A new object whose deallocator calls `at_death`, which may do anything. It dies at once, whoever
// drops it. Ends the program if there is no memory. Requires: attached; no error is set.
Strong new_mortal(std::function<void()> at_death);

// Counts deaths, and where they happened. The objects may outlive it. Requires: made attached to
// the interpreter of the objects.
class Deaths {
 public:
  // References to new objects, each the only one.
  Strong make();
  std::vector<PyObject*> make(size_t count);

  // Thread state: any.
  int count() const { return counts_->all.load(); }
  // On a thread that was not attached to the interpreter.
  int elsewhere() const { return counts_->elsewhere.load(); }

 private:
  struct Counts {
    PyInterpreterState* interpreter = PyInterpreterState_Get();
    std::atomic<int> all{0};
    std::atomic<int> elsewhere{0};
  };
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

// The bound of all queues, for a scope. Thread state: any.
class Bound {
 public:
  explicit Bound(std::chrono::nanoseconds bound) : before_(DecrefQueue::bound()) {
    DecrefQueue::set_bound(bound);
  }
  ~Bound() { DecrefQueue::set_bound(before_); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

 private:
  const std::chrono::nanoseconds before_;
};

// Forks as os.fork() does. Requires: attached to the main interpreter.
pid_t fork_python();

// Waits for a child. Success if it exited with 0. Thread state: any; detached meanwhile if
// attached.
::testing::AssertionResult ended_well(pid_t child);

// Runs `body` in a child made by fork_python(), and ends it there; fails if an expectation does.
// Requires: attached to the main interpreter.
void expect_in_child(const std::function<void()>& body);

// In a child: ends it, successfully if no expectation has failed.
[[noreturn]] void end_child();

// Whether an interpreter has a GIL of its own.
enum class Gil : bool { kShared, kOwn };

// Another interpreter, to which this thread is attached then. Ends the program if there cannot be
// one. Requires: attached.
PyThreadState* new_interpreter(Gil gil);

// Another interpreter with a queue, ended with the scope if not before. Between calls, this thread
// is attached to what it was before. Requires: used by the thread that made it, attached.
class Subinterpreter {
 public:
  explicit Subinterpreter(Gil gil);
  ~Subinterpreter() { end(); }
  Subinterpreter(const Subinterpreter&) = delete;
  Subinterpreter& operator=(const Subinterpreter&) = delete;

  // Runs it attached to the interpreter.
  void run(const std::function<void()>& body);
  void end();

  // Of the interpreter. Thread state: any.
  PyInterpreterState* interpreter() const { return interpreter_; }
  DecrefQueue& queue() const { return *queue_; }

 private:
  PyThreadState* state_;
  PyInterpreterState* interpreter_;
  DecrefQueue* queue_;
};

// How many threads the process has, and how many of them are queues' own. Thread state: any.
int count_threads();
int count_reapers();

// Memory that the process has, in MiB. Thread state: any.
int resident_mib();

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_DEFERRED_H_
