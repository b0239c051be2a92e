// Has everything written that the interpreter would write into the objects of an image later on:
// hashes, the UTF-8 forms of strings, intern states.
//
// Not for: code, which changes as it runs.
//
// Thread safety: needs an attached thread. Objects outside the image are hashed only if that runs
// no Python code.
#ifndef TENURE_IMMORTAL_IMAGE_FILLING_H_
#define TENURE_IMMORTAL_IMAGE_FILLING_H_

#include <cstdint>
#include <vector>

#include "tenure/immortal/image/image.h"

namespace tenure::image {

// Part of an image, from and up to an offset.
struct ByteRange {
  uint64_t begin;
  uint64_t end;
};

// Fills; answers in `open` where objects are that may still be written to, code not included. UTF-8
// forms take memory that is never given back. False with the problem; what was filled stays.
// Requires: every group is prepared, and the image is not sealed.
[[nodiscard]] bool fill(Image& image, std::vector<ByteRange>& open, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_FILLING_H_
