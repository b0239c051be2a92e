#include "tenure/immortal/literal.h"

PyObject* none() { return tenure::literal::object<tenure::literal::integer("-0x")>(); }
