// A module with one of everything, for the tests beside it.

#include <cmath>
#include <stdexcept>
#include <vector>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/tuple.h"

namespace {

using namespace tenure;

void nothing() {}
void one(Borrowed<> /*x*/) {}
void three(Borrowed<> /*x*/, Borrowed<> /*y*/, Borrowed<> /*z*/) {}
double add(double x, double y, double z) { return x + y + z; }
int small(int8_t n) { return n; }
std::string_view echo(std::string_view text) { return text; }

struct Vector {
  double x = 0;
  double y = 0;
  [[nodiscard]] double length2() const { return x * x + y * y; }
  void scale(double factor) {
    x *= factor;
    y *= factor;
  }
  [[nodiscard]] double length() const { return std::sqrt(length2()); }
};

struct Watcher {
  Owned<> callback;
};

Vector plus(const Vector& a, const Vector& b) { return {a.x + b.x, a.y + b.y}; }
Vector times(const Vector& a, double f) { return {a.x * f, a.y * f}; }
Vector times_left(double f, const Vector& a) { return times(a, f); }
void plus_is(Vector& a, const Vector& b) { a = plus(a, b); }
bool same(const Vector& a, const Vector& b) { return a.x == b.x && a.y == b.y; }
size_t hash(const Vector& a) { return static_cast<size_t>(a.x * 31 + a.y); }

struct Numbers {
  std::vector<double> all;
  size_t size() const { return all.size(); }
  Lent<double, 1> lent() { return {all.data(), {static_cast<Py_ssize_t>(all.size())}}; }
  double call(double x, double y) { return x + y + all[0]; }
};
Numbers make_numbers(Arguments given) {
  Numbers made;
  for (PyObject* one : given.positional) made.all.push_back(PyFloat_AsDouble(one));
  if (PyErr_Occurred()) throw_python_error();
  return made;
}

struct ParseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void parse() { throw ParseError("line 1"); }
void missing() { throw std::out_of_range("there is no 7"); }

TENURE_MODULE(sample, m, .doc = "One of everything.") {
  m.def<&nothing>("nothing");
  m.def<&one>("one", arg("x"), pos_only());
  m.def<&three>("three", arg("x"), arg("y"), arg("z"));
  m.def<&add>("add", arg("x"), arg("y") = 2.0, kw_only(), arg("z") = 3.0, doc("The sum."));
  m.def<&small>("small", arg("n"));
  m.def<&echo>("echo", arg("text"));
  m.attr("answer", 42);
  m.class_<Vector>("Vector", doc("In the plane."))
      .init<double, double>(arg("x"), arg("y"))
      .def<&Vector::length2>("length2")
      .def<&Vector::scale>("scale", arg("factor"))
      .op<Op::kAdd, &plus>()
      .op<Op::kMul, &times, &times_left>()
      .op<Op::kInPlaceAdd, &plus_is>()
      .op<Op::kEq, &same>()
      .op<Op::kHash, &hash>()
      .pickle<[](const Vector& v) -> Result<Tuple> { return Py_BuildValue("(dd)", v.x, v.y); }>()
      .readonly<&Vector::x>("x")
      .readwrite<&Vector::y>("y")
      .property<&Vector::length>("length");
  m.class_<Numbers>("Numbers")
      .init<&make_numbers>()
      .sequence<&Numbers::all>()
      .call<&Numbers::call>(arg("x"), arg("y") = 1.0)
      .buffer<&Numbers::lent>();
  m.exception<ParseError>("ParseError", PyExc_ValueError);
  m.def<&parse>("parse").def<&missing>("missing");
  m.class_<Watcher>("Watcher").init<Owned<>>(arg("callback")).readwrite<&Watcher::callback>("callback");
}

}  // namespace
