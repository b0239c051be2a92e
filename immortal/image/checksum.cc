#include "tenure/immortal/image/checksum.h"

#include "tenure/immortal/image/checksum_wide.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenure::image {

uint64_t checksum(std::span<const std::byte> bytes) {
  static const bool wide = __builtin_cpu_supports("avx2") != 0;
  return wide ? checksum_wide(bytes.data(), bytes.size()) : XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace tenure::image
