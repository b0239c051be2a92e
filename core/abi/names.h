// Names: immortal strs that every interpreter of the process may use at once, for as long as the
// process lives.
//
// Looking something up by a name compares pointers first, so a name is worth most where it is the
// interpreter's own interned str. That one belongs to its interpreter, unless it lies in the
// interpreter's binary, as the names of special methods do: a type learns of a new one only by that
// very str. The main interpreter's outlive all others; what is made for another is a copy outside
// of any interpreter's memory, found equal by its content.
//
// Thread safety: attached.
#ifndef TENURE_CORE_ABI_NAMES_H_
#define TENURE_CORE_ABI_NAMES_H_

#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// A name of that UTF-8 content. Borrowed, for good. Null with a Python error set if there is no
// memory or the content is not UTF-8. `substitute`, unless null, is a str of that content for all
// interpreters, immortal: it is the answer where a copy would be.
PyObject* new_name(const char* text, size_t bytes, PyObject* substitute);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_NAMES_H_
