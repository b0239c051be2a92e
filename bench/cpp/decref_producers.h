// Threads that push and are not attached.
//
// Kept for the whole process, since making a thread takes longer than a round of pushes.
#ifndef TENURE_BENCH_CPP_DECREF_PRODUCERS_H_
#define TENURE_BENCH_CPP_DECREF_PRODUCERS_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <semaphore>
#include <thread>
#include <vector>

namespace tenure::bench {

// CPU time of this thread.
int64_t thread_cpu_ns();

// How long this thread could have run and other programs had the processors; 0 where the system
// does not say.
int64_t waited_ns();

inline int64_t wall_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Producers {
 public:
  struct Took {
    int64_t wall_ns = 0;  // from the first's start to the last's end
    int64_t cpu_ns = 0;   // of all together
    // They did not start together, or another program had the processor of one for a while.
    bool disturbed = false;
  };

  // Those of this process; at most kMost may be asked for.
  static Producers& get();
  static constexpr size_t kMost = 8;

  Producers(const Producers&) = delete;
  Producers& operator=(const Producers&) = delete;

  // Runs the body on `threads` threads, which begin together, and waits for them.
  Took run(size_t threads, const std::function<void(size_t producer)>& body);

  // run() in two halves. One caller at a time; the body lives until finish().
  void start(size_t threads, const std::function<void(size_t producer)>& body);
  Took finish();

 private:
  struct Worker {
    std::binary_semaphore job{0};
    int64_t start = 0;
    int64_t end = 0;
    int64_t cpu = 0;
    int64_t waited = 0;
  };

  Producers();
  void work(size_t producer);

  // Set by start() before it releases the workers' semaphores, which publish them.
  const std::function<void(size_t producer)>* body_ = nullptr;
  size_t threads_ = 0;
  std::atomic<size_t> arrived_{0};
  std::counting_semaphore<> done_{0};
  std::vector<Worker> workers_{kMost};
};

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_DECREF_PRODUCERS_H_
