// Step 1: the functions that work on Python objects take and answer our handles; pybind11 still
// binds them, and everything else is as it was.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_pybind11:intervals_step1

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "tenure/examples/moving_from_pybind11/interval.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/interop/pybind11.h"

namespace py = pybind11;

using intervals::Interval;
using namespace tenure;

namespace {

// Null if it is none. Borrows.
const Interval* interval_of(const Object& object) {
  const py::handle handle = to_pybind11(object);
  return py::isinstance<Interval>(handle) ? &handle.cast<const Interval&>() : nullptr;
}

Result<List> merge(Borrowed<List> all) {
  std::vector<Interval> values;
  for (const Owned<> item : all) {
    const Interval* one = interval_of(item);
    if (one == nullptr) return raise_type_error("expected an Interval, not %T", item);
    values.push_back(*one);
  }
  Owned<List> covered = TENURE_TRY(List::make());
  for (const Interval& one : intervals::merged(std::move(values))) {
    TENURE_TRY(covered.append(from_pybind11(py::cast(one))));
  }
  return covered;
}

Result<List> where(Borrowed<List> all, Borrowed<> wanted) {
  Owned<List> chosen = TENURE_TRY(List::make());
  for (const Owned<> item : all) {
    const Owned<> answer = TENURE_TRY(wanted.call(item));
    if (TENURE_TRY(answer.truth())) TENURE_TRY(chosen.append(item));
  }
  return chosen;
}

Result<Dict> lengths(Borrowed<Dict> named) {
  Owned<Dict> found = TENURE_TRY(Dict::make());
  for (Result<DictItem> step : named) {
    const auto [name, value] = TENURE_TRY(std::move(step));
    const Interval* one = interval_of(value);
    if (one == nullptr) continue;
    const Owned<Float> length = TENURE_TRY(Float::make(one->length()));
    TENURE_TRY(found.set(name, length));
  }
  return found;
}

py::str repr(const Interval& one) {
  return py::str("Interval({}, {})").format(one.low(), one.high());
}

}  // namespace

PYBIND11_MODULE(intervals_step1, m) {
  translate_errors_for_pybind11();
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
