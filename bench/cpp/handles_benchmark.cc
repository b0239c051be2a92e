// What a handle costs over the bare C API: the same work through both, as peers.

#include <benchmark/benchmark.h>

#include "tenure/core/abi/python.h"
#include "tenure/handles/owned.h"

namespace {

// As benchmark::DoNotOptimize() for a value in a register, without telling the compiler that all
// of memory changes: the handle would have to live there.
void use(PyObject* object) { asm volatile("" : : "r"(object)); }

void owned(benchmark::State& state) {
  PyObject* list = PyList_New(0);
  for (auto _ : state) {
    const auto reference = tenure::Owned<>::steal(Py_NewRef(list));
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

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Py_InitializeEx(0);
  benchmark::RunSpecifiedBenchmarks();
  return Py_FinalizeEx();
}
