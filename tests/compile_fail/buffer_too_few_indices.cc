#include "tenure/handles/buffer.h"

double f(const tenure::Buffer<const double, 2>& buffer) { return buffer(1); }
