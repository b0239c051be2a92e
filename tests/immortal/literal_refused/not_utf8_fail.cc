#include "tenure/immortal/literal.h"

PyObject* latin1() { return tenure::literal::object<tenure::literal::str("gr\xfc\xdf dich")>(); }
