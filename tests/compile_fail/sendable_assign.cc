#include "tenure/handles/sendable.h"

void f(tenure::Sendable<>& a, const tenure::Sendable<>& b) { a = b; }
