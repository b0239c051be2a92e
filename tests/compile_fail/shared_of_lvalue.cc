#include "tenure/handles/shared.h"

// It takes the reference over, and the caller has to see that go.
auto f(tenure::Owned<> owner) { return tenure::Shared<>::make(owner); }
