// A program that embeds Python, with CPython's own memory on mimalloc.
//
//   embedding SCRIPT [ARGUMENT...]
//
// Everything python3 takes is taken. At the end it says on standard error what the script asked of
// the allocator. PYTHONMALLOC chooses another one, as it does for python3.

#include <Python.h>

#include <cstdio>

#include "tenure/pool/allocator.h"

namespace {

namespace pool = tenure::pool;

void print(const char* name, const pool::DomainStatistics& domain) {
  std::fprintf(stderr, "%s: %llu allocations, %llu not freed; at most %.1f MiB\n", name,
               static_cast<unsigned long long>(domain.allocations),
               static_cast<unsigned long long>(domain.allocations - domain.frees),
               static_cast<double>(domain.peak_bytes) / (1 << 20));
}

PyStatus start(int argc, char** argv) {
  PyPreConfig preconfig;
  PyPreConfig_InitPythonConfig(&preconfig);
  PyStatus status = Py_PreInitializeFromBytesArgs(&preconfig, argc, argv);
  if (PyStatus_Exception(status)) return status;

  // The one moment for it. A program that can do without goes on without.
  const pool::AllocatorAnswer answer = pool::install_allocator();
  if (!answer) std::fprintf(stderr, "CPython's own allocator: %s\n", answer.reason);

  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  status = PyConfig_SetBytesArgv(&config, argc, argv);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const PyStatus status = start(argc, argv);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  const bool is_installed = pool::allocator_statistics().is_installed;
  const int result = Py_RunMain();
  if (is_installed) {
    const pool::AllocatorStatistics statistics = pool::allocator_statistics();
    print("objects", statistics.objects);
    print("memory", statistics.memory);
  }
  return result;
}
