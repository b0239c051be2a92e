// Hashes in the file: for one secret, so that processes that share it write to no page of data.
//
// Not for: images that processes with secrets of their own load. They are refused (HashPolicy).
//
// Thread safety: needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_FIXED_HASHES_H_
#define TENURE_IMMORTAL_IMAGE_FIXED_HASHES_H_

#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// Loads what was assembled from memory, has everything filled in that this process would write to
// it later, and takes that over: hashes and intern states. False with `problem`. Requires: the
// assembly is finished, is one of data, and its policy is HashPolicy::kFixed for this process's
// secret.
[[nodiscard]] bool fix_hashes(Assembly& assembly, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_FIXED_HASHES_H_
