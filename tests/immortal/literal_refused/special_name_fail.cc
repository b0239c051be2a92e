#include "tenure/immortal/literal.h"

PyObject* length() { return tenure::literal::object<tenure::literal::str("__len__")>(); }
