#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

using namespace tenure;

struct Whole {
  int x = 0;
};
struct Part : virtual Whole {
  int y = 0;
};
template <>
struct tenure::ClassTraits<Whole> : tenure::DefaultTraits<Whole> {
  static constexpr bool kMayBeMissing = true;
};
template <>
struct tenure::ClassTraits<Part> : tenure::DefaultTraits<Part> {
  using Base = Whole;
  static constexpr bool kMayBeMissing = true;
};

TENURE_MODULE(refused, m) { m.class_<Part>("Part").init<>(); }
