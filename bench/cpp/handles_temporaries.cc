// Makes temporaries through the handles of one side, in one loop that nothing else happens in, and
// says what memory does meanwhile.
//
// Usage: handles_temporaries tenure|PYO3_LIBRARY COUNT
//
// Prints {"label": the side's, "resident": [KiB at the start, after each tenth]} as JSON.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tenure/bench/cpp/handles_sides.h"

namespace {

using tenure::bench::Side;
using tenure::bench::Subjects;

constexpr int kParts = 10;

long resident_kib() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  long pages = 0;
  if (file == nullptr || std::fscanf(file, "%*s %ld", &pages) != 1) std::abort();
  std::fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

bool run(const Side& side, const Subjects* subjects, size_t part) {
  // What is allocated once is not growth.
  if (!side.temporaries(subjects, 1000)) return false;
  long resident[kParts + 1] = {resident_kib()};
  for (int i = 1; i <= kParts; ++i) {
    if (!side.temporaries(subjects, part)) return false;
    resident[i] = resident_kib();
  }
  std::printf("{\"label\": \"%s\", \"resident\": [", side.label.c_str());
  for (int i = 0; i <= kParts; ++i) std::printf("%s%ld", i == 0 ? "" : ", ", resident[i]);
  std::printf("]}\n");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tenure::bench;  // NOLINT(google-build-using-namespace)
  if (argc != 3) {
    std::fprintf(stderr, "usage: handles_temporaries tenure|PYO3_LIBRARY COUNT\n");
    return 2;
  }
  Py_InitializeEx(0);
  const Subjects* subjects = make_subjects();
  const Side side = argv[1] == std::string_view("tenure") ? tenure_side() : pyo3_side(argv[1]);
  if (subjects == nullptr || !run(side, subjects, std::strtoull(argv[2], nullptr, 10) / kParts)) {
    PyErr_Print();
    return 1;
  }
  return Py_FinalizeEx();
}
