// The module before: pybind11.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_pybind11:intervals_before

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "tenure/examples/moving_from_pybind11/interval.h"

namespace py = pybind11;

using intervals::Interval;

namespace {

py::list merge(const py::list& all) {
  std::vector<Interval> values;
  for (const py::handle item : all) {
    if (!py::isinstance<Interval>(item)) throw py::type_error("expected an Interval");
    values.push_back(item.cast<const Interval&>());
  }
  py::list covered;
  for (const Interval& one : intervals::merged(std::move(values))) covered.append(one);
  return covered;
}

// Those for which a Python function says so: the same objects.
py::list where(const py::list& all, const py::function& wanted) {
  py::list chosen;
  for (const py::handle item : all) {
    if (py::bool_(wanted(item))) chosen.append(item);
  }
  return chosen;
}

// What kind of interval each name has: names whose value is no interval are left out.
py::dict lengths(const py::dict& named) {
  py::dict found;
  for (const auto& [name, value] : named) {
    if (!py::isinstance<Interval>(value)) continue;
    found[name] = value.cast<const Interval&>().length();
  }
  return found;
}

py::str repr(const Interval& one) {
  return py::str("Interval({}, {})").format(one.low(), one.high());
}

}  // namespace

PYBIND11_MODULE(intervals_before, m) {
  m.doc() = "Intervals of numbers.";
  py::register_local_exception<intervals::ParseError>(m, "ParseError", PyExc_ValueError);
  py::class_<Interval>(m, "Interval", py::module_local(), "From low to high, both included.")
      .def(py::init<double, double>(), py::arg("low"), py::arg("high"))
      .def_property_readonly("low", &Interval::low)
      .def_property_readonly("high", &Interval::high)
      .def_property_readonly("length", &Interval::length)
      .def("intersection", &Interval::intersection, py::arg("other"))
      .def("__contains__", &Interval::contains)
      .def(
          "__eq__", [](const Interval& a, const Interval& b) { return a == b; }, py::is_operator())
      .def("__repr__", &repr)
      .def(py::pickle([](const Interval& one) { return py::make_tuple(one.low(), one.high()); },
                      [](const py::tuple& state) {
                        return Interval(state[0].cast<double>(), state[1].cast<double>());
                      }));
  m.def("parse", &intervals::parse, py::arg("text"), py::arg("separator") = "..");
  m.def("merge", &merge, py::arg("intervals"));
  m.def("where", &where, py::arg("intervals"), py::arg("wanted"));
  m.def("lengths", &lengths, py::arg("named"));
}
