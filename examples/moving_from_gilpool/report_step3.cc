// Step 3: no pool. Who reads a line knows how long each object lives.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_gilpool:report_step3

#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"
#include "tenure/handles/raise.h"

using namespace tenure;

namespace {

Result<Dict> totals(Borrowed<> orders) {
  Owned<Dict> sums = TENURE_TRY(Dict::make());
  for (Result<> step : orders.each()) {
    const Owned<> order = TENURE_TRY(std::move(step));
    const Owned<> customer = TENURE_TRY(order.getattr("customer"_name));
    const Owned<> amount = TENURE_TRY(order.getattr("amount"_name));
    double sum = TENURE_TRY(Float::from(amount));
    const Lookup<> before = sums.get(customer);
    if (!before.ok()) return Failed{};
    if (before) sum += TENURE_TRY((*before).as<Float>()).value();
    const Owned<Float> after = TENURE_TRY(Float::make(sum));
    TENURE_TRY(sums.set(customer, after));
  }
  return sums;
}

Result<Str> longest(Borrowed<> texts) {
  std::optional<Owned<Str>> found;
  for (Result<> step : texts.each()) {
    Owned<> item = TENURE_TRY(std::move(step));
    Owned<Str> text = TENURE_TRY(std::move(item).as<Str>());
    if (!found || text.size() > found->size()) found = std::move(text);
  }
  if (!found) return raise_value_error("there are no texts");
  return *std::move(found);
}

}  // namespace

TENURE_MODULE(report_step3, m) {
  m.def<&totals>("totals", arg("orders"), pos_only());
  m.def<&longest>("longest", arg("texts"), pos_only());
}
