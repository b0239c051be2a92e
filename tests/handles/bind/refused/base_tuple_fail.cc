#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

struct Part {};
template <>
struct tenure::ClassTraits<Part> : tenure::DefaultTraits<Part> {
  using BuiltinBase = Tuple;
};

TENURE_MODULE(refused, m) { m.class_<Part>("Part").init<>(); }
