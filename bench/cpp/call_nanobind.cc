// nanobind's side of `./dev bench call`.

#include <nanobind/nanobind.h>

#include "tenure/bench/cpp/call_vector.h"

namespace nb = nanobind;
using nb::literals::operator""_a;
using tenure::bench::Vector;

NB_MODULE(call_nanobind, m) {
  m.def("nothing", [] {});
  m.def("one", [](nb::handle) {});
  m.def("three", [](nb::handle, nb::handle, nb::handle) {}, "x"_a, "y"_a, "z"_a);
  m.def("add", [](double x, double y, double z) { return x + y + z; }, "x"_a, "y"_a, "z"_a);
  nb::class_<Vector>(m, "Vector")
      .def(nb::init<double, double>(), "x"_a, "y"_a)
      .def("length2", &Vector::length2)
      .def("scale", &Vector::scale, "f"_a)
      .def_ro("x", &Vector::x);
  m.attr("version") = "nanobind " NB_TOSTRING(NB_VERSION_MAJOR) "." NB_TOSTRING(NB_VERSION_MINOR);
}
