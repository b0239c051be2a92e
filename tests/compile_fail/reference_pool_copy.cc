#include "tenure/pool/reference_pool.h"

// Two that drop the same references.
void f(const tenure::pool::ReferencePool& pool) { tenure::pool::ReferencePool copy = pool; }
