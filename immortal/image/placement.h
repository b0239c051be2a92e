// Where each object of a graph goes in the file.
//
// Inside a segment the common group comes first, its most used objects in front, then the groups
// in the order in which their modules were added, so that importing part of an image touches few
// pages of it.
#ifndef TENURE_IMMORTAL_IMAGE_PLACEMENT_H_
#define TENURE_IMMORTAL_IMAGE_PLACEMENT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/graph.h"

namespace tenure::image {

struct Placement {
  using Run = Assembly::Run;

  explicit Placement(const Graph& graph);

  std::vector<uint64_t> offsets;  // of nodes, from the start of their segment
  std::array<uint64_t, kSegments> segment_bytes{};
  std::vector<std::array<Run, kSegments>> runs;       // by group
  std::vector<std::vector<uint32_t>> nodes_by_group;  // in order of segment and offset
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_PLACEMENT_H_
