#include "tenure/immortal/literal.h"

PyObject* name() { return tenure::literal::Name<"\xff">::get(); }
