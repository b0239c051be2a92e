// Looking for what may not be there, while a process leaves and nobody is there to hear of errors.
//
// Thread safety: attached. Python errors of their own are dropped.
#ifndef TENURE_PYTHON_EXTENSION_LOOKUP_H_
#define TENURE_PYTHON_EXTENSION_LOOKUP_H_

#include "tenure/core/strong.h"

namespace tenure::extension {

// A module that has been imported, or none.
Strong imported(const char* name);

// An attribute, or none. May run Python code.
Strong attribute(PyObject* object, const char* name);

}  // namespace tenure::extension

#endif  // TENURE_PYTHON_EXTENSION_LOOKUP_H_
