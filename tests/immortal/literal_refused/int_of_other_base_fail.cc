#include "tenure/immortal/literal.h"

PyObject* two() { return tenure::literal::object<tenure::literal::integer("0b2")>(); }
