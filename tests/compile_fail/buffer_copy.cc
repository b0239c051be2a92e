#include "tenure/handles/buffer.h"

tenure::Buffer<int> f(const tenure::Buffer<int>& buffer) { return buffer; }
