#include "tenure/handles/handles.h"
#include "tenure/pool/reference_pool.h"

// Giving it away is said in the open, with std::move().
void f(tenure::pool::ReferencePool& pool, tenure::Owned<>& owner) { pool.keep(owner); }
