// Modules with state, classes and exceptions, whose import can be made to fail, for
// modules_test.py.

#include <stdexcept>
#include <system_error>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/exception.h"
#include "tenure/handles/handles.h"

namespace {

using namespace tenure;

struct Counters {
  Owned<Dict> seen;
  int count = 0;
};

int count(Counters& counters) { return ++counters.count; }
Owned<Dict> seen(const Counters& counters) { return counters.seen.new_ref(); }

struct Thing {
  int number = 0;
  [[nodiscard]] Thing next() const { return {number + 1}; }
};
bool same(const Thing& a, const Thing& b) { return a.number == b.number; }
Thing make_thing(int number) { return {number}; }
int number_of(const Thing& thing) { return thing.number; }

struct ParseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct LineError : ParseError {
  using ParseError::ParseError;
};

void raise_parse_error(std::string_view message) { throw ParseError(std::string(message)); }
void raise_line_error() { throw LineError("line 5"); }
void raise_of_kind(int kind) {
  switch (kind) {
    case 0:
      throw std::bad_alloc();
    case 1:
      throw std::out_of_range("\xff is not UTF-8");
    case 2:
      throw std::invalid_argument("wrong");
    case 3:
      throw std::overflow_error("too much");
    case 4:
      throw std::logic_error("logic");
    case 5:
      throw std::system_error(ENOENT, std::generic_category(), "no file");
    case 6:
      throw 5;
    case 7:
      try {
        throw std::out_of_range("inner");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
      }
    case 8:
      PyErr_SetString(PyExc_KeyError, "of Python");
      throw_python_error();
    default:
      break;
  }
}

// What the environment of the test asks for: sys.modules_sample_fails.
bool fails_at(const char* place) {
  PyObject* const wanted = PySys_GetObject("modules_sample_fails");
  return wanted != nullptr && PyUnicode_Check(wanted) &&
         PyUnicode_CompareWithASCIIString(wanted, place) == 0;
}

TENURE_MODULE_WITH_STATE(modules_sample, Counters, m, .doc = "Modules.",
                         .per_interpreter_gil = true, .free_threading = true) {
  m.def<&number_of>("number_of", arg("thing"));
  if (fails_at("begin")) throw std::runtime_error("begin");
  m.class_<Thing>("Thing", doc("A thing."))
      .init<int>(arg("number") = 0)
      .def<&Thing::next>("next")
      .op<Op::kEq, &same>()
      .pickle<[](const Thing& thing) { return thing.number; }>()
      .readwrite<&Thing::number>("number");
  if (fails_at("middle")) {
    PyErr_SetString(PyExc_KeyError, "middle");
    throw_python_error();
  }
  m.def<&make_thing>("make_thing", arg("number") = 7);
  m.exception<ParseError>("ParseError", PyExc_ValueError, doc("It cannot be read."));
  m.exception<LineError>("LineError", PyExc_SyntaxError);
  m.def<&raise_parse_error>("raise_parse_error").def<&raise_line_error>("raise_line_error");
  m.def<&raise_of_kind>("raise_of_kind");
  m.def<&count>("count").def<&seen>("seen");
  if (!fails_at("state")) {
    m.make_state({Result<Dict>(PyDict_New()).value_or_throw(), 0});
  }
  if (fails_at("end")) throw std::bad_alloc();
}

}  // namespace
