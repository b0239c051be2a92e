#include <string>

#include "tenure/handles/buffer.h"

tenure::Result<tenure::Buffer<std::string>> f(const tenure::Object& object);
