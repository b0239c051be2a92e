#include "tenure/handles/owned.h"

void f(tenure::Owned<>& a, const tenure::Owned<>& b) { a = b; }
