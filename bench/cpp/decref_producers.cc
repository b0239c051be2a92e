#include "tenure/bench/cpp/decref_producers.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tenure::bench {

namespace {

// On two free processors it is a fraction of a microsecond.
constexpr int64_t kTogetherNs = 20'000;

// A thread of our own may need a moment; others' threads take whole milliseconds. In a long sample
// two per cent move nothing.
constexpr int64_t kPatienceNs = 50'000;
constexpr int64_t kPatiencePart = 50;

}  // namespace

int64_t thread_cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t waited_ns() {
  char text[128] = {};
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  const ssize_t length = read(file, text, sizeof(text) - 1);
  close(file);
  // "RUNNING WAITING SLICES".
  const char* second = length > 0 ? std::strchr(text, ' ') : nullptr;
  return second != nullptr ? std::strtoll(second, nullptr, 10) : 0;
}

Producers& Producers::get() {
  // Never destroyed: its threads wait for work until the process ends.
  static auto* const producers = new Producers;
  return *producers;
}

Producers::Producers() {
  for (size_t i = 0; i < kMost; ++i) std::thread([this, i] { work(i); }).detach();
}

void Producers::work(size_t producer) {
  Worker& mine = workers_[producer];
  for (;;) {
    mine.job.acquire();
    // Nobody begins before all are running. Yields, since there may be fewer processors than
    // threads.
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    for (int spins = 0; arrived_.load(std::memory_order_acquire) < threads_; ++spins) {
      if (spins > 2000) std::this_thread::yield();
    }
    const int64_t waited = waited_ns();
    const int64_t cpu = thread_cpu_ns();
    mine.start = wall_ns();
    (*body_)(producer);
    mine.end = wall_ns();
    mine.cpu = thread_cpu_ns() - cpu;
    mine.waited = waited_ns() - waited;
    done_.release();
  }
}

void Producers::start(size_t threads, const std::function<void(size_t producer)>& body) {
  body_ = &body;
  threads_ = std::min(threads, kMost);
  arrived_.store(0, std::memory_order_relaxed);
  for (size_t i = 0; i < threads_; ++i) workers_[i].job.release();
}

Producers::Took Producers::finish() {
  for (size_t i = 0; i < threads_; ++i) done_.acquire();
  int64_t first = workers_[0].start;
  int64_t last_start = first;
  int64_t last = workers_[0].end;
  int64_t waited = 0;
  Took took;
  for (size_t i = 0; i < threads_; ++i) {
    first = std::min(first, workers_[i].start);
    last_start = std::max(last_start, workers_[i].start);
    last = std::max(last, workers_[i].end);
    took.cpu_ns += workers_[i].cpu;
    waited = std::max(waited, workers_[i].waited);
  }
  took.wall_ns = last - first;
  took.disturbed = last_start - first > kTogetherNs ||
                   waited > std::max(kPatienceNs, took.wall_ns / kPatiencePart);
  return took;
}

Producers::Took Producers::run(size_t threads, const std::function<void(size_t producer)>& body) {
  start(threads, body);
  return finish();
}

}  // namespace tenure::bench
