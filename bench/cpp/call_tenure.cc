// Tenure's side of `./dev bench call`.

#include "tenure/bench/cpp/call_vector.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"

using tenure::arg;
using tenure::Borrowed;
using tenure::bench::Vector;

// As in C: nobody derives from it.
template <>
struct tenure::ClassTraits<Vector> : tenure::DefaultTraits<Vector> {
  static constexpr bool kMayBeBase = false;
};

namespace {

void nothing() {}
void one(Borrowed<> /*x*/) {}
void three(Borrowed<> /*x*/, Borrowed<> /*y*/, Borrowed<> /*z*/) {}
double add(double x, double y, double z) { return x + y + z; }

}  // namespace

TENURE_MODULE(call_tenure, m) {
  m.def<&nothing>("nothing");
  m.def<&one>("one", arg("x"), tenure::pos_only());
  m.def<&three>("three", arg("x"), arg("y"), arg("z"));
  m.def<&add>("add", arg("x"), arg("y"), arg("z"));
  m.class_<Vector>("Vector")
      .init<double, double>(arg("x"), arg("y"))
      .def<&Vector::length2>("length2")
      .def<&Vector::scale>("scale", arg("f"))
      .readonly<&Vector::x>("x");
}
