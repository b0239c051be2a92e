// Makes one group of an image usable: check, move, intern, act. See format.h for what these are.
//
// Reads tables that are checksummed but need not be trusted: every slot is checked against the
// group's own part of the segments before it is written.
#ifndef TENURE_IMMORTAL_IMAGE_PREPARATION_H_
#define TENURE_IMMORTAL_IMAGE_PREPARATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/image.h"

namespace tenure::image {

class Image::Preparation {
 public:
  Preparation(Image& image, uint32_t group);

  // Goes on with the step at which the group stands. Thread state: attached.
  [[nodiscard]] bool run(Problem& problem);

 private:
  struct Range {
    uint64_t begin;
    uint64_t end;
  };

  void expect_writes();
  bool move(Problem& problem);
  bool move_internal(uint64_t distance, Problem& problem);
  bool move_external(Problem& problem);
  bool move_code_versions(Problem& problem);
  bool intern(Problem& problem);
  PyObject* canonical(uint32_t string, bool identifier, Problem& problem);
  bool mark_strings(Problem& problem);
  bool act(Problem& problem);
  bool fill(const ActionEntry& entry, PyObject* object, Problem& problem);
  PyObject* rebuild(const ActionEntry& action, Problem& problem);

  bool is_moving() const;
  Seen& seen(uint32_t string) const;
  bool replace(std::span<const uint32_t> slots, PyObject* str, Problem& problem);
  static bool holds_slot(const Range& range, uint64_t number);
  static bool holds(const Range& range, uint64_t offset, uint64_t bytes);
  static bool holds_str(const Range& range, uint64_t offset);
  const abi::Shape* str_shape(PyObject* str, uint64_t offset, bool identifier) const;
  bool is_tuple(PyObject* object, uint64_t offset) const;
  bool is_object(PyObject* object, int depth, int64_t& visits);
  bool holds_objects(PyObject* tuple, Py_ssize_t step, Problem& problem);
  bool in_image(uint64_t address) const;
  bool is_linked_here() const;

  // The pointer at a slot; null if the slot does not lie in this group.
  uint64_t* slot(uint64_t number, std::span<const Range> segments) const;
  std::span<const Range> referring() const;
  bool refuse_slot(const char* table, uint64_t number, Problem& problem) const;

  Image& image_;
  const View& view_;
  const uint32_t group_;
  std::byte* const base_;
  std::array<Range, kSegmentKindEnd - kFirstSegmentKind> segments_{};  // the group's part of them
  Range strings_{};                                                    // all of the string segment
  Range texts_{};                                                      // all of the text segment
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_PREPARATION_H_
