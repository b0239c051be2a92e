#include "tenure/immortal/image/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenure::image {

uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace tenure::image
