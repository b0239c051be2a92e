// The checksum of everything in an image: XXH3, 64 bits, seed 0.
//
// Finds damage, not forgery: an image is code, and whoever can write it can run code.
#ifndef TENURE_IMMORTAL_IMAGE_CHECKSUM_H_
#define TENURE_IMMORTAL_IMAGE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace tenure::image {

uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_CHECKSUM_H_
