// Deadline: when a drain has to stop, asked often and cheaply.
//
// Reading the clock costs as much as ten decrefs, so it is read only once in a number of steps, and
// that number follows how long the steps take.
#ifndef TENURE_CORE_DEADLINE_H_
#define TENURE_CORE_DEADLINE_H_

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace tenure {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  Deadline(size_t steps, std::chrono::nanoseconds time)
      : steps_left_(steps), start_(Clock::now()), looked_(start_), time_(time) {
    if (steps == 0 || time <= time.zero()) steps_left_ = 0;
  }

  // Says that one more step is begun. False if it must not be.
  bool step() {
    if (steps_left_ == 0) return false;
    if (--until_look_ == 0 && !look()) return false;
    --steps_left_;
    return true;
  }

  // How many more steps may be begun before the clock is read, for who does them in one go and then
  // says advance(). Less than until the next look, so that step() looks. Of steps that are known to
  // be quick, `quick` take the time of one.
  size_t allowance(size_t quick = 1) const {
    return std::min(quick * (until_look_ - 1), steps_left_);
  }

  // Requires: steps <= allowance(quick).
  void advance(size_t steps, size_t quick = 1) {
    until_look_ -= steps / quick;
    steps_left_ -= steps;
  }

  // The step just done may have taken long: the next one reads the clock.
  void look_soon() { until_look_ = 1; }

  bool is_over() const { return steps_left_ == 0; }

  std::chrono::nanoseconds elapsed() const { return Clock::now() - start_; }

 private:
  static constexpr size_t kMostSteps = 32;
  // A look costs about 20 ns: one per cent of this.
  static constexpr std::chrono::nanoseconds kLookEvery = std::chrono::microseconds(4);

  bool look() {
    const Clock::time_point now = Clock::now();
    if (now - start_ >= time_) {
      steps_left_ = 0;
      return false;
    }
    stride_ = now - looked_ > kLookEvery ? std::max<size_t>(stride_ / 4, 1)
                                         : std::min(stride_ * 2, kMostSteps);
    looked_ = now;
    until_look_ = stride_;
    return true;
  }

  size_t steps_left_;
  size_t stride_ = 1;
  size_t until_look_ = 1;
  Clock::time_point start_;
  Clock::time_point looked_;
  std::chrono::nanoseconds time_;
};

}  // namespace tenure

#endif  // TENURE_CORE_DEADLINE_H_
