#include "tenure/pool/reference_pool.h"

// A pool is a scope.
tenure::pool::ReferencePool* f() { return new tenure::pool::ReferencePool; }
