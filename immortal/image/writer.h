// Turns a graph into the bytes of an image file.
//
// Equal graphs give equal bytes, whatever the process's addresses, hash secret and time are; only
// the interpreter's own addresses, which the image is prelinked for, are in it.
//
// Thread safety: needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_WRITER_H_
#define TENURE_IMMORTAL_IMAGE_WRITER_H_

#include <cstddef>
#include <vector>

#include "tenure/immortal/image/graph.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// False with `problem` if the graph is too large for the format.
[[nodiscard]] bool write_image(const Graph& graph, std::vector<std::byte>& file, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_WRITER_H_
