#include <vector>

#include "tenure/handles/bind/convert_std.h"
#include "tenure/handles/bind/module.h"

using namespace tenure;

void f(const std::vector<Borrowed<>>& /*objects*/) {}

TENURE_MODULE(refused, m) { m.def<&f>("f"); }
