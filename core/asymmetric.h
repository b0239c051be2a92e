// A barrier with a cheap side and a dear side, for "I publish, then look; you change, then look".
//
// Two threads each write one word and then read the other's. Unless both order their write before
// their read, both can miss what the other wrote. A full fence on both sides orders that and costs
// a push five times what the rest of it costs. Here the side that runs often orders its own
// instructions only (asymmetric_light), and the side that runs seldom makes every other thread of
// the process pass a full fence (asymmetric_heavy, the membarrier system call). Linux has it since
// 4.14; where it is refused, is_asymmetric() is false and the often-run side must do an atomic
// read-modify-write instead.
//
// Not for: anything but core/push_signal.h, where the protocol it serves is told.
//
// Thread safety: any thread. asymmetric_heavy() takes 0.2 to 20 microseconds.
#ifndef TENURE_CORE_ASYMMETRIC_H_
#define TENURE_CORE_ASYMMETRIC_H_

#include <atomic>

namespace tenure {

namespace internal {
// Written by asymmetric_setup() only, before the first queue can be reached by another thread.
extern std::atomic<bool> asymmetric_works;
}  // namespace internal

// Asks the system once for the right to use the dear side; done before the first queue is made. A
// forked child inherits it.
void asymmetric_setup();

// Whether the cheap side is enough. Relaxed: it does not change while anybody may push.
inline bool is_asymmetric() {
#ifdef TENURE_PLAIN_BARRIERS
  // ThreadSanitizer cannot see that a system call orders other threads.
  return false;
#else
  return internal::asymmetric_works.load(std::memory_order_relaxed);
#endif
}

// Partner: asymmetric_heavy(). Emits no instruction.
inline void asymmetric_light() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Partner: asymmetric_light(). On return every other thread has passed a full fence. False if the
// system has taken the right back, as a seccomp filter can; then nothing is ordered.
[[nodiscard]] bool asymmetric_heavy();

}  // namespace tenure

#endif  // TENURE_CORE_ASYMMETRIC_H_
