#include "tenure/handles/buffer.h"

// What was not asked to be contiguous may not be.
void f(const tenure::Buffer<int>& buffer) { buffer.span(); }
