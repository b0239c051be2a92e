// The smallest of modules: one function.
//
// Built by Bazel:   ./dev bazel build //examples/bindings:tax

#include "tenure/handles/bind/module.h"

using namespace tenure;

double with_tax(double price, double rate) { return price * (1 + rate); }

TENURE_MODULE(tax, m, .doc = "Taxes.") {
  m.def<&with_tax>("with_tax", arg("price"), pos_only(), arg("rate") = 0.19,
                   doc("The price with the tax."));
}
