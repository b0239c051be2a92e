// The bytes of an image file: segments that somebody fills in who knows the objects, tables beside
// them, and the header and checksums that make a file of both.
//
// In this order: place(), then objects are written through at() and slot(), tables are appended to,
// each group is closed by end_group(), and finish() makes everything right for this interpreter.
// Until then pointers are written as if the image were mapped at 0, and externals as their index:
// what is in the segments depends on nothing but the objects, and names them.
//
// Not for: deciding what goes where; see Writer and DataWriter.
//
// Thread state: finish() needs an attached thread; the rest touches no Python object.
#ifndef TENURE_IMMORTAL_IMAGE_ASSEMBLY_H_
#define TENURE_IMMORTAL_IMAGE_ASSEMBLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/immortal/image/externals.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

inline constexpr size_t kSegments = kSegmentKindEnd - kFirstSegmentKind;

inline constexpr size_t segment_index(Kind kind) {
  return static_cast<size_t>(kind) - kFirstSegmentKind;
}

class Assembly {
 public:
  explicit Assembly(uint32_t group_count) : extents_(group_count) {}

  // Gives each segment its place. False with `problem` if that is too much for the format or for
  // memory; everything is zero otherwise.
  [[nodiscard]] bool place(const std::array<uint64_t, kSegments>& segment_bytes, Problem& problem);

  uint64_t segment_offset(Kind kind) const { return segment_offsets_[segment_index(kind)]; }
  std::byte* at(uint64_t offset) { return segments_.get() + (offset - kPageBytes); }
  uint64_t& slot(uint32_t number) {
    return *reinterpret_cast<uint64_t*>(at(uint64_t{number} * kSlotBytes));
  }

  std::string& table(Kind kind) { return tables_[static_cast<size_t>(kind)]; }
  TextRef text(std::string_view text);
  template <typename Entry>
  void append(Kind kind, const Entry& entry) {
    table(kind).append(reinterpret_cast<const char*>(&entry), sizeof entry);
  }

  // Writes the externals' table and programs.
  void write_externals(std::span<const External> externals);

  // The object at `offset` is code, and needs a version. Called in ascending order.
  void add_code(uint64_t offset) { code_.push_back(offset); }

  // What was appended to the bulk tables since the group before belongs to `group`, and of each
  // segment the bytes of [begin, end), counted from the segment's start.
  struct Run {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  void end_group(uint32_t group, const std::array<Run, kSegments>& runs);

  // How the hashes in the image are to be taken; see format.h.
  struct Hashes {
    HashPolicy policy = HashPolicy::kLazy;
    uint64_t witness = 0;
  };

  // Chooses the address, links, describes and checksums. Requires: every group is closed.
  void finish(const Hashes& hashes);

  // Makes the checksums right again after the contents of segments changed.
  void seal_checksums();

  // The file, in pieces that are part of this. Requires: finish().
  std::vector<std::span<const std::byte>> pieces() const;
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  static constexpr size_t kFirstTable = static_cast<size_t>(Kind::kText);
  static constexpr size_t kTableEnd = kLastTableKind + 1;

  void choose_identity(const Hashes& hashes);
  void link();
  void lay_out_tables();
  void write_extents();
  void write_header(const Hashes& hashes);
  std::span<const std::byte> bytes(uint64_t offset, uint64_t count) const;
  std::span<const std::byte> all_segments() const { return {segments_.get(), segments_bytes_}; }

  std::array<uint64_t, kSegments> segment_offsets_{};
  std::array<uint64_t, kSegments> segment_sizes_{};
  std::unique_ptr<std::byte, Free> segments_;  // the file from its second page on
  uint64_t segments_bytes_ = 0;
  std::array<std::string, kTableEnd> tables_;
  std::array<uint64_t, kTableEnd> table_offsets_{};
  std::array<uint64_t, kTableEnd> group_begins_{};  // what tables had when the last group ended
  std::vector<std::vector<ExtentEntry>> extents_;   // by group; of tables: from the table's start
  std::vector<uint64_t> external_addresses_;
  std::vector<uint64_t> code_;
  uint64_t content_id_[2] = {};
  uint64_t base_ = 0;
  uint32_t first_code_version_ = 0;
  uint64_t file_bytes_ = 0;
  alignas(Header) std::array<std::byte, kPageBytes> page_{};
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_ASSEMBLY_H_
