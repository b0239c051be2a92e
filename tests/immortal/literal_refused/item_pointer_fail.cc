#include "tenure/immortal/literal.h"

PyObject* pair() { return tenure::literal::object<tenure::literal::tuple<1, nullptr>>(); }
