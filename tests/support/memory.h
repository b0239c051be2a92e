// What the kernel says of this process's memory.
//
// Thread state: any.
#ifndef TENURE_TESTS_SUPPORT_MEMORY_H_
#define TENURE_TESTS_SUPPORT_MEMORY_H_

#include <cstdint>
#include <string>

namespace tenure::testing {

struct MappedArea {
  std::string access;      // "rw-p"
  uint64_t offset = 0;     // in the file
  std::string file;        // empty for none
  uint64_t own_bytes = 0;  // that are no file's: written, or copied
};

// The mapping that holds an address. Ends the program if there is none.
MappedArea area_of(const void* address);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_MEMORY_H_
