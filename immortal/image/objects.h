// The objects of a group, one after the other, as the object stream tells them.
#ifndef TENURE_IMMORTAL_IMAGE_OBJECTS_H_
#define TENURE_IMMORTAL_IMAGE_OBJECTS_H_

#include <cstdint>
#include <string>

#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/problem.h"
#include "tenure/immortal/image/varint.h"
#include "tenure/immortal/image/view.h"

namespace tenure::image {

// Calls visit(offset, shape) for each object of the group; stops when it answers false. Answers
// false too, with `problem`, if the stream is damaged or names an object outside the segments.
// Every object visited lies, with its prefix and its fixed fields, in one segment.
template <typename Visit>
[[nodiscard]] bool for_each_object(const View& view, uint32_t group, Problem& problem,
                                   Visit&& visit) {
  StreamReader in(view.part(group, Kind::kObjects));
  uint64_t offset = 0;
  while (!in.at_end()) {
    offset += in.varint() * abi::kObjectAlignment;
    const uint8_t id = in.byte();
    const abi::Shape* shape = abi::shape(static_cast<abi::ShapeId>(id));
    if (in.failed() || shape == nullptr) {
      return problem.refuse(view.group_name(group),
                            in.failed() ? "has a damaged object list; freeze the image again"
                                        : "has an object of shape " + std::to_string(id) +
                                              ", which this Tenure does not know; use a newer one");
    }
    if (offset < shape->prefix_bytes ||
        !view.in_segment(offset - shape->prefix_bytes, shape->prefix_bytes + shape->fixed_bytes)) {
      return problem.refuse(
          view.group_name(group),
          "lists an object outside the segments, at offset " + std::to_string(offset));
    }
    if (!visit(offset, *shape)) return false;
  }
  return true;
}

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_OBJECTS_H_
