#include "tenure/immortal/image/signal_chain.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace tenure::image {

// A place in the chain. One that was left with others in front of it is never used again: who they
// go on to is told apart by the address of the function.
struct SignalLink {
  std::atomic<ChainedHandler*> owner{nullptr};
  struct sigaction previous = {};

  static void run(SignalLink& link, int signal, siginfo_t* info, void* context);
};

namespace {

constexpr size_t kLinks = 12;
constinit std::array<SignalLink, kLinks> links;

template <size_t N>
void entry(int signal, siginfo_t* info, void* context) {
  SignalLink::run(links[N], signal, info, context);
}

using Entry = void (*)(int, siginfo_t*, void*);

template <size_t... N>
constexpr std::array<Entry, sizeof...(N)> entries(std::index_sequence<N...>) {
  return {entry<N>...};
}

constexpr std::array<Entry, kLinks> kEntries = entries(std::make_index_sequence<kLinks>());

bool is_in_front(int signal, Entry ours) {
  struct sigaction current;
  return sigaction(signal, nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 &&
         current.sa_sigaction == ours;
}

// The instruction that failed is run again when the handler returns, and has the default effect
// then; what somebody sent is not sent again by itself.
void end_by_default(int signal, const siginfo_t* info) {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) raise(signal);
}

void pass_on(const struct sigaction& previous, int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    // Ignoring what an instruction did would run it again for ever; the kernel does not, either.
    if (previous.sa_handler == SIG_IGN && info->si_code <= 0) return;
    end_by_default(signal, info);
  } else {
    previous.sa_handler(signal);
  }
}

}  // namespace

void SignalLink::run(SignalLink& link, int signal, siginfo_t* info, void* context) {
  const int error = errno;
  ChainedHandler* owner = link.owner.load(std::memory_order_acquire);
  const bool done = owner != nullptr && owner->is_installed() && owner->body_(info, context);
  errno = error;
  if (!done) pass_on(link.previous, signal, info, context);
}

bool ChainedHandler::install() {
  if (is_installed()) return true;
  if (link_ >= 0 && is_in_front(signal_, kEntries[static_cast<size_t>(link_)])) {
    active_.store(true, std::memory_order_release);
    return true;
  }
  for (size_t i = 0; i < kLinks; ++i) {
    ChainedHandler* none = nullptr;
    if (!links[i].owner.compare_exchange_strong(none, this)) continue;
    struct sigaction action = {};
    action.sa_sigaction = kEntries[i];
    // On the stack that faulthandler has made for the thread, if it has: the fault may be that the
    // other one is full.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    active_.store(true, std::memory_order_release);
    // First who was there, so that a fault in between finds it.
    if (sigaction(signal_, nullptr, &links[i].previous) == 0 &&
        sigaction(signal_, &action, nullptr) == 0) {
      link_ = static_cast<int>(i);
      return true;
    }
    active_.store(false, std::memory_order_release);
    links[i].owner.store(nullptr, std::memory_order_release);
    return false;
  }
  errno = EBUSY;
  return false;
}

void ChainedHandler::remove() {
  if (!is_installed()) return;
  active_.store(false, std::memory_order_release);
  const auto link = static_cast<size_t>(link_);
  if (!is_in_front(signal_, kEntries[link])) return;
  if (sigaction(signal_, &links[link].previous, nullptr) != 0) return;
  link_ = -1;
  links[link].owner.store(nullptr, std::memory_order_release);
}

}  // namespace tenure::image
