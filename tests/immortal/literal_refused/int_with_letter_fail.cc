#include "tenure/immortal/literal.h"

PyObject* twelve() { return tenure::literal::object<tenure::literal::integer("12a")>(); }
