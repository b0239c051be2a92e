#include "tenure/immortal/literal.h"

PyObject* half() { return tenure::literal::object<tenure::literal::integer("0.5")>(); }
