#include <string>

#include "tenure/pool/arena.h"

// Nobody would destroy them.
size_t f(tenure::pool::Arena& arena) { return arena.try_make_span<std::string>(3).size(); }
