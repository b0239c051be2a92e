// What a handle costs over the bare C API: the same work through both and through other libraries'
// handles, as peers.
//
// Usage: handles PYO3_LIBRARY [options of Google Benchmark]
//        handles PYO3_LIBRARY NAME BATCHES
//
// The second does one kind of work of one side, for a count of its instructions.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "tenure/bench/cpp/handles_sides.h"
#include "tenure/core/names.h"
#include "tenure/handles/owned.h"

namespace tenure::bench {

namespace {

void owned(benchmark::State& state) {
  PyObject* list = PyList_New(0);
  for (auto _ : state) {
    const auto reference = Owned<>::steal(Py_NewRef(list));
    use(reference.get());
  }
  Py_DECREF(list);
}
BENCHMARK(owned)->Name("owned");

void raw_owned(benchmark::State& state) {
  PyObject* list = PyList_New(0);
  for (auto _ : state) {
    PyObject* reference = Py_NewRef(list);
    use(reference);
    Py_DECREF(reference);
  }
  Py_DECREF(list);
}
BENCHMARK(raw_owned)->Name("owned@C API");

[[noreturn]] void end_with_error() {
  PyErr_Print();
  std::exit(1);
}

struct Named {
  std::string name;  // As Google Benchmark is given it: the side's label behind an at sign.
  Work* work;
};

void add(std::vector<Named>& all, const Side& side) {
  const std::string label = side.label.empty() ? "" : "@" + side.label;
  all.push_back({"len" + label, side.len});
  all.push_back({"attribute" + label, side.attribute});
  all.push_back({"append" + label, side.append});
  all.push_back({"lookup" + label, side.lookup});
}

void run_batch(const Subjects* subjects, Work* work) {
  make_room(*subjects);
  if (!work(subjects, kBatch)) end_with_error();
}

void run(const Subjects* subjects, const std::vector<Named>& all) {
  for (const Named& each : all) {
    benchmark::RegisterBenchmark(each.name, [=](benchmark::State& state) {
      while (state.KeepRunningBatch(kBatch)) run_batch(subjects, each.work);
    });
  }
  benchmark::RunSpecifiedBenchmarks();
}

// Nothing but the work, so that two runs differ in it alone.
void run_for_counting(const Subjects* subjects, const std::vector<Named>& all,
                      std::string_view name, int batches) {
  for (const Named& each : all) {
    if (each.name != name) continue;
    for (int i = 0; i < batches; ++i) run_batch(subjects, each.work);
    return;
  }
  std::fprintf(stderr, "there is no %.*s\n", static_cast<int>(name.size()), name.data());
  std::exit(1);
}

// Without site, which would be most of what is counted; with one order of hashes in all runs.
void start_python() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.use_hash_seed = 1;
  config.hash_seed = 1;
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
}

}  // namespace

}  // namespace tenure::bench

int main(int argc, char** argv) {
  using namespace tenure::bench;  // NOLINT(google-build-using-namespace)
  benchmark::Initialize(&argc, argv);
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "usage: handles PYO3_LIBRARY [NAME BATCHES] [--benchmark_...]\n");
    return 2;
  }
  start_python();
  const Subjects* subjects = make_subjects();
  if (subjects == nullptr || !tenure::prepare_names()) end_with_error();
  std::vector<Named> all;
  for (const Side& side :
       {tenure_side(), c_side(), nanobind_side(), pybind11_side(), pyo3_side(argv[1])}) {
    add(all, side);
  }
  if (argc == 4) {
    run_for_counting(subjects, all, argv[2], std::atoi(argv[3]));
  } else {
    run(subjects, all);
  }
  return Py_FinalizeEx();
}
