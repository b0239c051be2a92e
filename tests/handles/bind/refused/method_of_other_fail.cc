#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

struct Part {};
struct Other {};
void f(Other&) {}

TENURE_MODULE(refused, m) { m.class_<Part>("Part").init<>().def<&f>("f"); }
