// PyO3's side, from the library of bench/pyo3/handles.

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "tenure/bench/cpp/handles_sides.h"

namespace tenure::bench {

namespace {

void* find(void* library, const char* name) {
  void* found = library == nullptr ? nullptr : dlsym(library, name);
  if (found == nullptr) {
    std::fprintf(stderr, "the PyO3 library: %s\n", dlerror());
    std::exit(1);
  }
  return found;
}

Work* work(void* library, const char* name) { return reinterpret_cast<Work*>(find(library, name)); }

}  // namespace

Side pyo3_side(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  auto* version = reinterpret_cast<const char* (*)()>(find(library, "tenure_pyo3_version"));
  return {version(),
          work(library, "tenure_pyo3_len"),
          work(library, "tenure_pyo3_attribute"),
          work(library, "tenure_pyo3_append"),
          work(library, "tenure_pyo3_lookup"),
          work(library, "tenure_pyo3_temporaries")};
}

}  // namespace tenure::bench
