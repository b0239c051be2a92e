#include "tenure/immortal/literal.h"

PyObject* euro() { return tenure::literal::object<tenure::literal::str("10 \xe2\x82")>(); }
