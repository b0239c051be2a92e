#include "tenure/handles/borrowed.h"

tenure::Borrowed<> f() { return tenure::Borrowed<>(nullptr); }
