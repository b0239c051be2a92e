#include "tenure/immortal/literal.h"

PyObject* zero() { return tenure::literal::object<tenure::literal::str("\xc0\x80")>(); }
