#include "tenure/handles/owned.h"

tenure::Owned<> make();

// The owner is gone at the semicolon.
PyObject* f() { return make().borrow().get(); }
