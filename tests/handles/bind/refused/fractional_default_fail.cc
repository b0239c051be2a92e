#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

void f(int) {}

TENURE_MODULE(refused, m) { m.def<&f>("f", arg("x") = 1.5); }
