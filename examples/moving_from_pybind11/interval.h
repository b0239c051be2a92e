// Interval: the C++ of the example, which knows nothing of Python.
//
// Thread safety: as values.
#ifndef TENURE_EXAMPLES_MOVING_FROM_PYBIND11_INTERVAL_H_
#define TENURE_EXAMPLES_MOVING_FROM_PYBIND11_INTERVAL_H_

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace intervals {

struct ParseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Interval {
 public:
  // Throws std::invalid_argument.
  Interval(double low, double high) : low_(low), high_(high) {
    if (!(low <= high)) throw std::invalid_argument("an interval's low is not above its high");
  }

  [[nodiscard]] double low() const { return low_; }
  [[nodiscard]] double high() const { return high_; }
  [[nodiscard]] double length() const { return high_ - low_; }
  [[nodiscard]] bool contains(double x) const { return low_ <= x && x <= high_; }
  [[nodiscard]] std::optional<Interval> intersection(const Interval& other) const {
    const double low = std::max(low_, other.low_);
    const double high = std::min(high_, other.high_);
    if (low > high) return std::nullopt;
    return Interval(low, high);
  }
  bool operator==(const Interval&) const = default;

 private:
  double low_;
  double high_;
};

// "1.5..3". Throws ParseError, or std::invalid_argument for an interval that is none.
inline Interval parse(std::string_view text, std::string_view separator) {
  const size_t middle = text.find(separator);
  const auto number = [&](std::string_view part) {
    double value = 0;
    const auto [end, error] = std::from_chars(part.begin(), part.end(), value);
    if (error != std::errc() || end != part.end()) {
      throw ParseError("'" + std::string(part) + "' is not a number");
    }
    return value;
  };
  if (separator.empty() || middle == std::string_view::npos) {
    throw ParseError("'" + std::string(text) + "' is not an interval");
  }
  return {number(text.substr(0, middle)), number(text.substr(middle + separator.size()))};
}

// What they cover together, in ascending order.
inline std::vector<Interval> merged(std::vector<Interval> all) {
  std::ranges::sort(all, {}, &Interval::low);
  std::vector<Interval> covered;
  for (const Interval& one : all) {
    if (!covered.empty() && one.low() <= covered.back().high()) {
      const Interval last = covered.back();
      covered.back() = {last.low(), std::max(last.high(), one.high())};
    } else {
      covered.push_back(one);
    }
  }
  return covered;
}

}  // namespace intervals

#endif  // TENURE_EXAMPLES_MOVING_FROM_PYBIND11_INTERVAL_H_
