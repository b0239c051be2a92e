#include "tenure/bench/cpp/decref_flood.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tenure::bench {

int64_t resident_kib() {
  // Without allocating, which would be part of what is measured.
  char text[128] = {};
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  const ssize_t length = read(file, text, sizeof(text) - 1);
  close(file);
  const char* second = length > 0 ? std::strchr(text, ' ') : nullptr;
  if (second == nullptr) return 0;
  return std::strtoll(second, nullptr, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

Flood::Flood(Side& side, size_t objects, size_t threads, size_t times, double per_second,
             unsigned char& done)
    : side_(side), done_(done), pushing_(threads) {
  constexpr size_t kSamples = 200'000;
  // Touched now, so that it is there from the first sample on.
  resident_.resize(kSamples, -1);
  resident_.clear();
  resident_.push_back(resident_kib());
  body_ = [=, this](size_t) { push(objects, threads, times, per_second); };
  Producers::get().start(threads, body_);
  watcher_ = std::jthread([this] { watch(); });
}

Flood::~Flood() { done_.store(1, std::memory_order_release); }

void Flood::push(size_t objects, size_t threads, size_t times, double per_second) {
  // A few hundred at a time, so that the clock costs nothing; what was missed is not made up for.
  const double ns_each =
      per_second > 0 ? 1e9 * static_cast<double>(objects * threads) / per_second : 0;
  auto next = static_cast<double>(wall_ns());
  for (size_t i = 0; i < times; ++i) {
    side_.drop(1);
    if (ns_each == 0) continue;
    next = std::max(next + ns_each, static_cast<double>(wall_ns()));
    while (static_cast<double>(wall_ns()) < next) {
    }
  }
  if (pushing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    done_.store(1, std::memory_order_release);
  }
}

void Flood::watch() {
  while (!is_over() && resident_.size() < resident_.capacity()) {
    resident_.push_back(resident_kib());
    std::this_thread::sleep_for(kEvery);
  }
  resident_.push_back(resident_kib());
}

Producers::Took Flood::finish() {
  const Producers::Took took = Producers::get().finish();
  watcher_.join();
  return took;
}

}  // namespace tenure::bench
