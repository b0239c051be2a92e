#include "tenure/handles/shared.h"

tenure::Shared<> make();

// The owner is gone at the semicolon.
PyObject* f(tenure::Attached attached) { return make().get(attached).get(); }
