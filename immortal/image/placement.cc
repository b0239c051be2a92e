#include "tenure/immortal/image/placement.h"

#include <algorithm>

namespace tenure::image {
namespace {

uint64_t align(uint64_t offset) {
  return (offset + abi::kObjectAlignment - 1) & ~uint64_t{abi::kObjectAlignment - 1};
}

}  // namespace

Placement::Placement(const Graph& graph) : offsets(graph.nodes().size()) {
  const auto& nodes = graph.nodes();
  runs.resize(graph.group_count());
  nodes_by_group.resize(graph.group_count());
  for (uint32_t i = 0; i < nodes.size(); ++i) nodes_by_group[nodes[i].group].push_back(i);
  for (uint32_t group = 0; group < nodes_by_group.size(); ++group) {
    auto& members = nodes_by_group[group];
    std::stable_sort(members.begin(), members.end(), [&nodes](uint32_t a, uint32_t b) {
      if (nodes[a].segment != nodes[b].segment) return nodes[a].segment < nodes[b].segment;
      // Within a module all have one user, and the order they were found in stays.
      return nodes[a].users > nodes[b].users;
    });
    size_t next = 0;
    for (size_t segment = 0; segment < kSegments; ++segment) {
      uint64_t at = align(segment_bytes[segment]);
      Run& run = runs[group][segment];
      run.begin = at;
      for (; next < members.size() &&
             static_cast<size_t>(nodes[members[next]].segment) == segment + kFirstSegmentKind;
           ++next) {
        const Node& node = nodes[members[next]];
        at = align(at + node.shape->prefix_bytes);
        offsets[members[next]] = at;
        at += node.bytes;
      }
      run.end = at;
      segment_bytes[segment] = at;
    }
  }
}

}  // namespace tenure::image
