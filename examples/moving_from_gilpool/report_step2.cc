// Step 2: handles that say who owns what. What is made once for a call is still the pool's, and is
// borrowed from it; what is made in a loop is owned by the turn that made it.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_gilpool:report_step2

#include "tenure/handles/handles.h"
#include "tenure/handles/raise.h"
#include "tenure/pool/reference_pool.h"

using tenure::pool::ReferencePool;
using namespace tenure;

namespace {

// A new reference: the caller's pool does not keep what this one answers.
Result<Dict> totals(const Object& orders) {
  ReferencePool pool;
  const Borrowed<Dict> sums = TENURE_TRY(pool.keep(Dict::make()));
  for (Result<> step : orders.each()) {
    const Owned<> order = TENURE_TRY(std::move(step));
    const Owned<> customer = TENURE_TRY(order.getattr("customer"));
    const Owned<> amount = TENURE_TRY(order.getattr("amount"));
    double sum = TENURE_TRY(Float::from(amount));
    const Lookup<> before = sums.get(customer);
    if (!before.ok()) return Failed{};
    if (before) sum += TENURE_TRY((*before).as<Float>()).value();
    const Owned<Float> after = TENURE_TRY(Float::make(sum));
    TENURE_TRY(sums.set(customer, after));
  }
  return sums.new_ref();
}

Result<Str> longest(const Object& texts) {
  std::optional<Owned<Str>> found;
  for (Result<> step : texts.each()) {
    Owned<> item = TENURE_TRY(std::move(step));
    Owned<Str> text = TENURE_TRY(std::move(item).as<Str>());
    if (!found || text.size() > found->size()) found = std::move(text);
  }
  if (!found) return raise_value_error("there are no texts");
  return *std::move(found);
}

PyObject* call_totals(PyObject* /*module*/, PyObject* orders) {
  return totals(Borrowed<>(orders)).release();
}
PyObject* call_longest(PyObject* /*module*/, PyObject* texts) {
  return longest(Borrowed<>(texts)).release();
}

PyMethodDef methods[] = {{"totals", call_totals, METH_O, nullptr},
                         {"longest", call_longest, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "report_step2", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_report_step2() { return PyModuleDef_Init(&definition); }
