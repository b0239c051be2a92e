#include "tenure/handles/object.h"

tenure::Result<> f(const tenure::Object& function) { return function.call(1); }
