#include "tenure/core/asymmetric.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tenure {

namespace internal {
std::atomic<bool> asymmetric_works{false};
}  // namespace internal

namespace {

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

void asymmetric_setup() {
  // Registering twice is allowed. Once it has worked for a process it is not taken back.
  internal::asymmetric_works.store(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED),
                                   std::memory_order_relaxed);
}

bool asymmetric_heavy() { return !is_asymmetric() || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED); }

}  // namespace tenure
