#include "tenure/handles/raise.h"

// A message that is not known beforehand is an argument of "%s".
tenure::Failed f(const char* message) { return tenure::raise_value_error(message); }
