#include "tenure/handles/sendable.h"

tenure::Sendable<> make();

// What a temporary holds would dangle at the semicolon.
tenure::Borrowed<> f(tenure::Attached attached) { return make().get(attached); }
