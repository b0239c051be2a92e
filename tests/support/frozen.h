// Objects as an image holds them, each in memory of its own.
#ifndef TENURE_TESTS_SUPPORT_FROZEN_H_
#define TENURE_TESTS_SUPPORT_FROZEN_H_

#include <cstddef>
#include <span>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/core/abi/shape.h"

namespace tenure::testing {

// What abi::copy_unused() makes of an object, prefix included: no type, no references.
std::vector<std::byte> unused_bytes(PyObject* object);

// An immortal copy nobody has used, its type and references those of `object`; code has a version
// of an image. Never freed, as an image is not. Room for `slack` more bytes behind it, zeroed.
PyObject* freeze(PyObject* object, size_t slack = 0);

// freeze() of the value of an expression.
PyObject* freeze_value(const char* expression, size_t slack = 0);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_FROZEN_H_
