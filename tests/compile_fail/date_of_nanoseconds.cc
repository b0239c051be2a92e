#include <chrono>

#include "tenure/handles/datetime.h"

// Rounding is said in the open.
tenure::Result<tenure::TimeDelta> f(std::chrono::nanoseconds time) {
  return tenure::TimeDelta::make(time);
}
