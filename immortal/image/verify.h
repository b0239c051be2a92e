// Walks every object of a loaded image and checks that it is what its shape says.
//
// Not for: trusting a file from elsewhere. An image whose checksums are right can hold any code.
#ifndef TENURE_IMMORTAL_IMAGE_VERIFY_H_
#define TENURE_IMMORTAL_IMAGE_VERIFY_H_

#include <cstdint>

#include "tenure/immortal/image/image.h"

namespace tenure::image {

struct Verified {
  uint64_t objects = 0;
  uint64_t references = 0;
  uint64_t bytes = 0;
};

// Prepares every group, then checks every object: type, immortality, size, place, what its
// references lead to, and that its contents are possible for its shape. False with the first
// problem. Thread state: attached.
[[nodiscard]] bool verify(Image& image, Verified& verified, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_VERIFY_H_
