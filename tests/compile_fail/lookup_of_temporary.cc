#include "tenure/handles/dict.h"

// What was found is gone at the semicolon; and there may be nothing, or an error.
PyObject* f(const tenure::Dict& dict) { return (*dict.get("key")).get(); }
