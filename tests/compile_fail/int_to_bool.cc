#include "tenure/handles/int.h"

// Whether an object counts as true is asked by truth().
bool f(const tenure::Int& number) { return number.to<bool>().take(); }
