#include "tenure/handles/buffer.h"

void f(const tenure::Buffer<const double>& buffer) { buffer(0) = 1; }
