#include "tenure/pool/arena.h"

// There are no exceptions here to say that there is no memory.
void* f(tenure::pool::Arena& arena) { return arena.allocate(3); }
