// A handler of ours among those that a signal of the processor (SIGSEGV, SIGTRAP) has: what is not
// for us goes to whoever was there before, such as faulthandler, or has the default effect.
//
// Not for: signals that are sent to a process, such as SIGTERM.
//
// Thread safety: install() and remove() need an attached thread; handlers run on any thread. A body
// may do what a signal handler may do: no allocation, no lock, nothing of Python's.
#ifndef TENURE_IMMORTAL_IMAGE_SIGNAL_CHAIN_H_
#define TENURE_IMMORTAL_IMAGE_SIGNAL_CHAIN_H_

#include <atomic>
#include <csignal>

namespace tenure::image {

class ChainedHandler {
 public:
  // True if the signal was ours and the program goes on. `context` is a ucontext_t.
  using Body = bool (*)(siginfo_t* info, void* context);

  constexpr ChainedHandler(int signal, Body body) : signal_(signal), body_(body) {}
  ChainedHandler(const ChainedHandler&) = delete;
  ChainedHandler& operator=(const ChainedHandler&) = delete;

  // Puts the handler in front of the others. All signals wait while it runs. False, with errno, if
  // the system refuses, or (EBUSY) if others have put theirs in front of ours too often to tell who
  // comes after whom.
  [[nodiscard]] bool install();

  // Takes it away, or, where another one is in front of it and may go on to ours, has it pass on
  // everything.
  void remove();

  bool is_installed() const { return active_.load(std::memory_order_acquire); }

 private:
  friend struct SignalLink;

  const int signal_;
  const Body body_;
  std::atomic<bool> active_{false};  // read by handlers; written by attached threads
  int link_ = -1;                    // the last that was ours; -1: none
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_SIGNAL_CHAIN_H_
