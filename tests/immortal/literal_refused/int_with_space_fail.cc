#include "tenure/immortal/literal.h"

PyObject* ten() { return tenure::literal::object<tenure::literal::integer(" 10")>(); }
