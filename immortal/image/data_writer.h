// Turns a graph of data into the bytes of an image file.
//
// Equal graphs give equal bytes, whatever the process's addresses, hash secret and time are; only
// the interpreter's own addresses, which the image is prelinked for, are in it.
//
// Thread safety: needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_DATA_WRITER_H_
#define TENURE_IMMORTAL_IMAGE_DATA_WRITER_H_

#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/data_graph.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// Fills in an assembly of one group, up to finish(), which is the caller's. False with `problem` if
// the graph is too large, or progress was told to end.
[[nodiscard]] bool write_data(const DataGraph& graph, Assembly& assembly, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_DATA_WRITER_H_
