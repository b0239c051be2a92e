#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

struct alignas(64) Part {};

TENURE_MODULE(refused, m) { m.class_<Part>("Part").init<>(); }
