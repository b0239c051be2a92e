#include "tenure/handles/handles.h"
#include "tenure/pool/reference_pool.h"

// It is somebody else's to drop.
void f(tenure::pool::ReferencePool& pool, tenure::Borrowed<> object) { pool.keep(object); }
