#include "tenure/immortal/literal.h"

PyObject* beyond() { return tenure::literal::object<tenure::literal::str("\xf4\x90\x80\x80")>(); }
