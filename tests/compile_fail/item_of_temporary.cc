#include "tenure/handles/tuple.h"

tenure::Owned<tenure::Tuple> make();

// The tuple is gone at the semicolon, and with it the item.
PyObject* f() { return make()[0].get(); }
