// What Tenure asks of code objects beyond their shape.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_CODE_H_
#define TENURE_CORE_ABI_CODE_H_

#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Whether an image can hold code at all: not where the interpreter has no GIL, see
// docs/decisions/0023. Thread state: any.
bool can_copy_code();

// True for the code of modules and class bodies, which runs once; false for functions.
bool runs_once(PyObject* code);

// How many of a code object's local variables are its arguments; they come first.
size_t argument_count(PyObject* code);

// True if the code is as the compiler made it: not specialised, watched or compiled further. The
// interpreter keeps addresses in code that has run. False with MemoryError if there is no memory to
// look.
bool is_unused(PyObject* code);

// Code versions identify code to the specialising interpreter, which hands them out from 1 up.
// Images take theirs from the other end: [kFirstImageVersion, 2^32).
inline constexpr uint32_t kFirstImageVersion = 1u << 31;

void set_code_version(void* code, uint32_t version);
uint32_t code_version(const void* code);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_CODE_H_
