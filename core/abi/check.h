// Whether an object of an image is one that the interpreter could have made.
//
// Thread safety: needs an attached thread.
#ifndef TENURE_CORE_ABI_CHECK_H_
#define TENURE_CORE_ABI_CHECK_H_

#include <cstddef>

#include "tenure/core/abi/shape.h"

namespace tenure::abi {

// What is wrong with an object of that shape; null if nothing is. Its references are not followed
// but where the shape says of what type they must be. Never reads beyond `limit` bytes.
// Requires: limit >= shape.fixed_bytes.
const char* find_fault(const Shape& shape, PyObject* object, size_t limit);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_CHECK_H_
