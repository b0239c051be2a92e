#include "tenure/handles/bind/builtin_bases.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

struct Memory {
  template <size_t kSize, bool kIsCollected>
  using Of = bind::InterpretersMemory<kSize>;
};

struct Part {};
template <>
struct tenure::ClassTraits<Part> : tenure::DefaultTraits<Part> {
  using Pool = Memory;
  using BuiltinBase = Dict;
};

TENURE_MODULE(refused, m) { m.class_<Part>("Part").init<>(); }
