#include "tenure/immortal/literal.h"

PyObject* one() { return tenure::literal::object<tenure::literal::integer(1.5)>(); }
