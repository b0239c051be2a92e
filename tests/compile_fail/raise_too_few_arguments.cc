#include "tenure/handles/raise.h"

tenure::Failed f(int number) { return tenure::raise_value_error("%d of %d", number); }
