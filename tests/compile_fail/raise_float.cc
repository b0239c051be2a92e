#include "tenure/handles/raise.h"

// PyErr_Format() knows no floating-point numbers.
tenure::Failed f(double number) { return tenure::raise_value_error("%f", number); }
