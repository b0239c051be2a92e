// PyO3's side, from the library that bench/pyo3/decref is built into.
#ifndef TENURE_BENCH_CPP_DECREF_PYO3_H_
#define TENURE_BENCH_CPP_DECREF_PYO3_H_

#include "tenure/bench/cpp/decref_sides.h"

namespace tenure::bench {

// Null before load_pyo3().
Side* make_pyo3_side();

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_DECREF_PYO3_H_
