// Ends a program before its main() if the libpython that it has found is not the one that a graph
// was linked with for a fixed place: see core/abi/runtime_copy.h.

#include <unistd.h>

#include "tenure/core/abi/runtime_copy.h"

namespace tenure {
namespace {

[[gnu::constructor]] void check_runtime_copy() {
  if (abi::runtime_copy_fits()) return;
  static constexpr char kMessage[] =
      "tenure: this program was linked with another build of libpython than it runs with; link it "
      "again\n";
  static_cast<void>(!write(STDERR_FILENO, kMessage, sizeof kMessage - 1));
  _exit(127);
}

}  // namespace
}  // namespace tenure
