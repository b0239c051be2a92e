#include "tenure/immortal/literal.h"

PyObject* a() { return tenure::literal::object<tenure::literal::integer('a')>(); }
