// What the programs of `./dev bench pool/arena pool/references` share: samples of sides that take
// turns, and printing them.
//
// Thread safety: one thread.
#ifndef TENURE_BENCH_CPP_POOL_SIDES_H_
#define TENURE_BENCH_CPP_POOL_SIDES_H_

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace tenure::bench {

// As benchmark::DoNotOptimize() for a pointer: the compiler knows nothing of it any more, and has
// to have written what it points to.
template <typename T>
void escape(T* pointer) {
  asm volatile("" : : "r"(pointer) : "memory");
}

// Nanoseconds from when it is made.
class Stopwatch {
 public:
  double ns() const {
    return std::chrono::duration<double, std::nano>(Clock::now() - begin_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

// Of one turn of a side: what was measured, in nanoseconds for one of whatever is done.
using Sample = std::map<std::string, double>;

struct TakingTurns {
  std::string name;
  std::function<Sample()> sample;
};

// Lets all sides take turns, in an order shuffled anew for each round, and prints
// {"sides": {SIDE: {WHAT: [of each round]}}}, without the first two rounds.
inline void take_turns(const std::vector<TakingTurns>& sides, int rounds, unsigned seed) {
  constexpr int kWarmup = 2;
  std::vector<std::map<std::string, std::vector<double>>> found(sides.size());
  std::vector<size_t> order(sides.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(seed);
  for (int round = 0; round < kWarmup + rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t side : order) {
      const Sample sample = sides[side].sample();
      if (round < kWarmup) continue;
      for (const auto& [what, ns] : sample) found[side][what].push_back(ns);
    }
  }
  std::printf("{\"sides\": {");
  for (size_t i = 0; i < sides.size(); ++i) {
    std::printf("%s\"%s\": {", i == 0 ? "" : ", ", sides[i].name.c_str());
    const char* before = "";
    for (const auto& [what, values] : found[i]) {
      std::printf("%s\"%s\": [", before, what.c_str());
      for (size_t k = 0; k < values.size(); ++k) {
        std::printf("%s%.4f", k == 0 ? "" : ", ", values[k]);
      }
      std::printf("]");
      before = ", ";
    }
    std::printf("}");
  }
  std::printf("}}\n");
}

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_POOL_SIDES_H_
