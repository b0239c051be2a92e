// A flood of pushes, and what the process's memory does meanwhile.
#ifndef TENURE_BENCH_CPP_DECREF_FLOOD_H_
#define TENURE_BENCH_CPP_DECREF_FLOOD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "tenure/bench/cpp/decref_producers.h"
#include "tenure/bench/cpp/decref_sides.h"

namespace tenure::bench {

// Begins with its making; one at a time. Thread state: any.
class Flood {
 public:
  // Each of `threads` producers drops references to all prepared objects `times` times; together
  // they drop at most `per_second` references a second, if that is not 0. Sets `done` when all
  // have, which Python code may look at.
  Flood(Side& side, size_t objects, size_t threads, size_t times, double per_second,
        unsigned char& done);
  ~Flood();
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  bool is_over() const { return done_.load(std::memory_order_acquire) != 0; }

  // Waits for the producers. Called once.
  Producers::Took finish();

  // KiB that were resident, every kEvery since the start.
  const std::vector<int64_t>& resident() const { return resident_; }
  static constexpr std::chrono::milliseconds kEvery{5};

 private:
  void push(size_t objects, size_t threads, size_t times, double per_second);
  void watch();

  Side& side_;
  // Lent by the caller, and read by Python as a byte.
  std::atomic_ref<unsigned char> done_;
  std::atomic<size_t> pushing_;
  std::function<void(size_t)> body_;
  std::vector<int64_t> resident_;
  std::jthread watcher_;
};

// KiB of this process that are resident, from /proc/self/statm.
int64_t resident_kib();

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_DECREF_FLOOD_H_
