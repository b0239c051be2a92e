#include "tenure/handles/owned.h"

tenure::Owned<> f() { return tenure::Owned<>::steal(nullptr); }
