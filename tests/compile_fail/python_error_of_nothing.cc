#include "tenure/handles/error.h"

// It is what was set, or there is none.
tenure::PythonError f() { return {}; }
