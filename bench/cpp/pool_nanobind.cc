// nanobind's side of `./dev bench pool/create`.

#include <nanobind/nanobind.h>

#include "tenure/bench/cpp/pool_classes.h"

namespace nb = nanobind;
using nb::literals::operator""_a;
using tenure::bench::Point;

namespace {

struct Node {
  explicit Node(nb::object object) : held(std::move(object)) {}
  nb::object held;
};

// As nanobind's documentation has it for classes that may be part of a cycle.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  Py_VISIT(nb::inst_ptr<Node>(self)->held.ptr());
  return 0;
}
int clear(PyObject* self) {
  nb::inst_ptr<Node>(self)->held.reset();
  return 0;
}
PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(&clear)},
                       {0, nullptr}};

}  // namespace

NB_MODULE(pool_nanobind, m) {  // NOLINT(performance-unnecessary-value-param): the macro's
  nb::class_<Point>(m, "Point")
      .def(nb::init<double, double>(), "x"_a, "y"_a)
      .def_ro("x", &Point::x);
  nb::class_<Node>(m, "Node", nb::type_slots(slots))
      .def(nb::init<nb::object>(), "held"_a)
      .def_ro("held", &Node::held);
  m.attr("version") = "nanobind " NB_TOSTRING(NB_VERSION_MAJOR) "." NB_TOSTRING(NB_VERSION_MINOR);
}
