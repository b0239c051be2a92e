#include "tenure/handles/sendable.h"

// Two that drop one reference; Shared is what several threads hold.
tenure::Sendable<> f(const tenure::Sendable<>& kept) {
  tenure::Sendable<> copy = kept;
  return copy;
}
