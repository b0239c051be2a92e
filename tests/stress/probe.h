// Objects that know how often they were destroyed, and whose destructors do what destructors may.
#ifndef TENURE_TESTS_STRESS_PROBE_H_
#define TENURE_TESTS_STRESS_PROBE_H_

#include <atomic>
#include <cstdint>

#include "tenure/core/abi/python.h"
#include "tenure/core/strong.h"

namespace tenure::stress {

// What a destructor does besides counting.
enum class Deed : uint8_t {
  kNothing,
  kPush,     // defers the last reference to another probe
  kDrain,    // drains and flushes inside a drain
  kRaise,    // leaves a Python error set
  kLetGo,    // releases the GIL for a moment
  kThread,   // starts a thread that pushes, and joins it
  kCollect,  // runs the garbage collector
  kAttach,   // attaches from a thread of its own
  kFork,     // forks; the child drains and ends
};
inline constexpr uint32_t kDeeds = 9;

// All probes of the process. Thread state: any.
struct Tally {
  std::atomic<uint64_t> made{0};
  std::atomic<uint64_t> destroyed{0};
  // Destructors that ran a second time, or in another interpreter than their object's.
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> forks{0};
  std::atomic<uint64_t> bad_children{0};
  // Changed attached to the main interpreter. CPython's child of a fork crashes or hangs when it
  // frees an interpreter that another thread was busy in, so nobody forks while there is one.
  std::atomic<uint32_t> subinterpreters{0};
};
Tally& tally();

// The type, for the interpreter this thread is attached to. Ends the program on an error.
Strong make_probe_type();

// A new reference to a new probe. Ends the program on an error. Requires: attached.
PyObject* new_probe(PyObject* type, Deed deed);

// Runs in the child of a fork: whether its main queue drains and its counts add up.
bool child_is_sound();

// Forks as os.fork() does, checks the child, waits for it. Requires: attached to the main
// interpreter.
void fork_and_check();

}  // namespace tenure::stress

#endif  // TENURE_TESTS_STRESS_PROBE_H_
