#include "tenure/tests/support/memory.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tenure::testing {

MappedArea area_of(const void* address) {
  const auto wanted = reinterpret_cast<uint64_t>(address);
  std::ifstream maps("/proc/self/smaps");
  MappedArea area;
  bool is_it = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream in(line);
    uint64_t begin = 0;
    uint64_t end = 0;
    char dash = 0;
    if (in >> std::hex >> begin >> dash >> end && dash == '-') {
      is_it = wanted >= begin && wanted < end;
      std::string device;
      std::string inode;
      if (is_it) in >> area.access >> area.offset >> device >> inode >> area.file;
    } else if (is_it && line.starts_with("Anonymous:")) {
      area.own_bytes = std::stoull(line.substr(line.find(':') + 1)) * 1024;
      return area;
    }
  }
  std::fprintf(stderr, "nothing is mapped at %p\n", address);
  std::abort();
}

}  // namespace tenure::testing
