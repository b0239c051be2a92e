// The UTF-8 of a str, without the copy that the interpreter would keep beside it.
#ifndef TENURE_CORE_ABI_UTF8_H_
#define TENURE_CORE_ABI_UTF8_H_

#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// How many bytes it has, without a zero at the end; 0 if there is none, because the str is empty or
// has a lone surrogate. Requires: attached.
size_t utf8_bytes(PyObject* str);

// Writes it, and a zero behind it. Requires: attached; utf8_bytes(str) + 1 bytes at `out`; it has
// one.
void write_utf8(PyObject* str, char* out);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_UTF8_H_
