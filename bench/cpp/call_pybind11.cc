// pybind11's side of `./dev bench call`.

#include <pybind11/pybind11.h>

#include "tenure/bench/cpp/call_vector.h"

namespace py = pybind11;
using py::literals::operator""_a;
using tenure::bench::Vector;

PYBIND11_MODULE(call_pybind11, m) {
  m.def("nothing", [] {});
  m.def("one", [](const py::handle&) {});
  m.def(
      "three", [](const py::handle&, const py::handle&, const py::handle&) {}, "x"_a, "y"_a, "z"_a);
  m.def("add", [](double x, double y, double z) { return x + y + z; }, "x"_a, "y"_a, "z"_a);
  py::class_<Vector>(m, "Vector")
      .def(py::init<double, double>(), "x"_a, "y"_a)
      .def("length2", &Vector::length2)
      .def("scale", &Vector::scale, "f"_a)
      .def_readonly("x", &Vector::x);
  m.attr("version") = "pybind11 " PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(
      PYBIND11_VERSION_MINOR);
}
