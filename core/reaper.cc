#include "tenure/core/reaper.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/thread_lanes.h"

namespace tenure {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr nanoseconds kForever = nanoseconds::max();
// How long a pending call may wait before the main thread counts as stuck in C code.
constexpr nanoseconds kPatience = milliseconds(2);
// The least time between two looks, and between two pieces of a container that is taken apart.
constexpr nanoseconds kBreath = milliseconds(1);
constexpr nanoseconds kBetweenPieces = milliseconds(4);

std::atomic<int64_t> bound_ns{nanoseconds(milliseconds(100)).count()};

// Counts forks that this process is a child of; tells a reaper that forked in a destructor that it
// is the only thread of a new process.
std::atomic<uint32_t> generation{0};

void futex_wait(std::atomic<uint32_t>& word, uint32_t expected, const timespec* time) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, time, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

timespec to_timespec(nanoseconds time) {
  constexpr int64_t kSecond = 1'000'000'000;
  return {static_cast<time_t>(time.count() / kSecond), static_cast<long>(time.count() % kSecond)};
}

nanoseconds tick() { return std::max<nanoseconds>(Reaper::bound() / 4, kBreath / 4); }

}  // namespace

void Reaper::set_bound(nanoseconds bound) {
  bound_ns.store(std::max<nanoseconds>(bound, kBreath).count());
  for (DecrefQueue* queue = DecrefQueue::newest(); queue != nullptr; queue = queue->next()) {
    queue->reaper_.bound_has_changed();
  }
}

void Reaper::bound_has_changed() {
  uint32_t nothing = kNothing;
  if (news_.compare_exchange_strong(nothing, kOtherBound)) futex_wake(news_);
}

nanoseconds Reaper::bound() { return nanoseconds(bound_ns.load(std::memory_order_relaxed)); }

void Reaper::count_fork() { generation.fetch_add(1, std::memory_order_relaxed); }

void Reaper::ensure_running() {
  bool none = false;
  if (is_running_.load(std::memory_order_relaxed) || queue_.is_finished() ||
      !is_running_.compare_exchange_strong(none, true, std::memory_order_acq_rel)) {
    return;
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals are for the threads of the program.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int failed = pthread_create(&thread, &attributes, &Reaper::run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  // Tried again by the next drain or full chunk.
  has_failed_.store(failed != 0, std::memory_order_relaxed);
  if (failed != 0) is_running_.store(false, std::memory_order_release);
}

void Reaper::wake() {
  ensure_running();
  if (is_asleep_.exchange(0) == 1) futex_wake(is_asleep_);
}

void Reaper::end() {
  news_.exchange(kHurried);
  futex_wake(news_);
  if (is_asleep_.exchange(0) == 1) futex_wake(is_asleep_);
}

void Reaper::hurry() {
  ensure_running();
  if (news_.load(std::memory_order_relaxed) != kHurried && news_.exchange(kHurried) != kHurried) {
    futex_wake(news_);
  }
}

void Reaper::reset_after_fork() {
  is_running_.store(false, std::memory_order_relaxed);
  has_failed_.store(false, std::memory_order_relaxed);
  is_asleep_.store(0, std::memory_order_relaxed);
  news_.store(kNothing, std::memory_order_relaxed);
  call_.store(Call::kNone, std::memory_order_relaxed);
}

void* Reaper::run(void* reaper) {
  pthread_setname_np(pthread_self(), "tenure-reaper");
  static_cast<Reaper*>(reaper)->loop();
  return nullptr;
}

void Reaper::loop() {
  const uint32_t born = generation.load(std::memory_order_relaxed);
  // The first push may be part of something that drains soon.
  wait(kForever);
  while (!queue_.is_finished()) {
    const nanoseconds pause = service();
    // A destructor forked, and this is the child: end as the thread it would have been there.
    if (generation.load(std::memory_order_relaxed) != born) return;
    if (pause == kForever) sleep();
    wait(pause);
  }
  is_running_.store(false, std::memory_order_release);
}

void Reaper::sleep() {
  // Who was in a hurry has been served; the next push is in none yet.
  news_.store(kNothing);
  is_asleep_.exchange(1);
  if (queue_.signal_.is_up_ordered() || queue_.is_finished()) {
    is_asleep_.store(0);
    return;
  }
  while (is_asleep_.load() == 1) futex_wait(is_asleep_, 1, nullptr);
}

void Reaper::wait(nanoseconds most) {
  const Clock::time_point start = Clock::now();
  for (;;) {
    const nanoseconds left = start + std::min(most, tick()) - Clock::now();
    if (left <= nanoseconds::zero()) return;
    const timespec time = to_timespec(left);
    futex_wait(news_, kNothing, &time);
    uint32_t news = news_.load();
    if (news == kHurried) {
      // Producers at full speed would otherwise keep this thread busy with being woken.
      const timespec breath = to_timespec(std::min(left, kBreath));
      nanosleep(&breath, nullptr);
      news_.store(kNothing);
      return;
    }
    news_.compare_exchange_strong(news, kNothing);
  }
}

// Answers how long nothing has to be looked at.
nanoseconds Reaper::service() {
  if (!queue_.signal_.is_up_ordered()) return kForever;
  if (queue_.is_idle()) {
    if (!queue_.signal_.try_lower() || queue_.is_idle()) return kForever;
    queue_.signal_.raise();
    return tick();
  }
  if (!queue_.gate().is_main() || !request_pending_call()) {
    Attach attach(queue_.gate());
    // An interpreter that ends drains by itself.
    if (!attach) return tick();
    queue_.drain_in_background(queue_.reaper_drains_);
  }
  if (queue_.count_pending() >= Lane::kSlots) return kBreath;
  return queue_.dismantler_.size() > 0 ? kBetweenPieces : tick();
}

// True if the main thread will do it, false if this thread has to.
bool Reaper::request_pending_call() {
  const int64_t now = std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
  switch (call_.load(std::memory_order_acquire)) {
    case Call::kNone:
      break;
    case Call::kPosted:
      return now - call_posted_at_ < kPatience.count();
    case Call::kRefused:
      call_.store(Call::kNone, std::memory_order_relaxed);
      return false;
  }
  // The interpreter must not end while it takes the call.
  Visit visit(queue_.gate());
  if (!visit) return true;
  call_posted_at_ = now;
  call_.store(Call::kPosted, std::memory_order_release);
  if (Py_AddPendingCall(&Reaper::pending_call, this) == 0) return true;
  call_.store(Call::kNone, std::memory_order_relaxed);
  return false;
}

int Reaper::pending_call(void* reaper) {
  auto* self = static_cast<Reaper*>(reaper);
  const bool is_inside_drain = thread_lanes.is_draining(&self->queue_);
  self->call_.store(is_inside_drain ? Call::kRefused : Call::kNone, std::memory_order_release);
  DecrefQueue& queue = self->queue_;
  if (!is_inside_drain && queue.gate().is_attached()) {
    queue.drain_in_background(queue.pending_calls_);
  }
  return 0;
}

}  // namespace tenure
