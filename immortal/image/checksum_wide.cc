#include "tenure/immortal/image/checksum_wide.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenure::image {

uint64_t checksum_wide(const void* bytes, size_t count) { return XXH3_64bits(bytes, count); }

}  // namespace tenure::image
