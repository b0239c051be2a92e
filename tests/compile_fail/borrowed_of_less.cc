#include "tenure/handles/str.h"

// Only as() finds out whether it is one.
tenure::Borrowed<tenure::Str> f(tenure::Borrowed<> object) { return object; }
