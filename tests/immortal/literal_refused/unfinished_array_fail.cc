#include "tenure/immortal/literal.h"

constexpr char kText[] = {'a', 'b'};
PyObject* text() { return tenure::literal::object<tenure::literal::str(kText)>(); }
