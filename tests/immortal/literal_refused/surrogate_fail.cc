#include "tenure/immortal/literal.h"

PyObject* half() { return tenure::literal::object<tenure::literal::str("\xed\xa0\x80")>(); }
