// Step 2: the bindings too. What moved in step 1 is as it was but for how an Interval is found and
// made.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_pybind11:intervals_step2

#include "tenure/examples/moving_from_pybind11/interval.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/raise.h"

using intervals::Interval;
using namespace tenure;

namespace {

// Null if it is none. Borrows.
const Interval* interval_of(const Object& object) {
  FromPython<Interval> loader;
  return loader.load(object.get()) ? &loader.get() : nullptr;
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
    const Owned<> made = TENURE_TRY(Result<>(ToPython<Interval>::convert(one)));
    TENURE_TRY(covered.append(made));
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

Result<Tuple> state(const Interval& one) {
  Owned<Float> low = TENURE_TRY(Float::make(one.low()));
  Owned<Float> high = TENURE_TRY(Float::make(one.high()));
  return Tuple::make(std::move(low), std::move(high));
}

Result<Str> repr(const Interval& one) {
  const Owned<Float> low = TENURE_TRY(Float::make(one.low()));
  const Owned<Float> high = TENURE_TRY(Float::make(one.high()));
  return Str::format("Interval({}, {})", low, high);
}

bool equal(const Interval& a, const Interval& b) { return a == b; }

}  // namespace

TENURE_MODULE(intervals_step2, m, .doc = "Intervals of numbers.") {
  m.exception<intervals::ParseError>("ParseError", PyExc_ValueError);
  m.class_<Interval>("Interval", doc("From low to high, both included."))
      .init<double, double>(arg("low"), arg("high"))
      .property<&Interval::low>("low")
      .property<&Interval::high>("high")
      .property<&Interval::length>("length")
      .def<&Interval::intersection>("intersection", arg("other"))
      .op<Op::kContains, &Interval::contains>()
      .op<Op::kEq, &equal>()
      .op<Op::kRepr, &repr>()
      .pickle<&state>();
  m.def<&intervals::parse>("parse", arg("text"), arg("separator") = "..");
  m.def<&merge>("merge", arg("intervals"));
  m.def<&where>("where", arg("intervals"), arg("wanted"));
  m.def<&lengths>("lengths", arg("named"));
}
