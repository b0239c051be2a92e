// An image's header and tables, read from bytes that need not be trusted.
//
// parse() answers true only if every offset, count and cross reference of the header, the
// directory and the small tables is in bounds and their checksums are right; from then on the
// accessors need no checks. Bulk tables and segments are checked group by group, by check_group().
//
// Not for: running anything. See Image for that.
//
// Thread safety: constant after parse(). Thread state: any; no Python object is touched.
#ifndef TENURE_IMMORTAL_IMAGE_VIEW_H_
#define TENURE_IMMORTAL_IMAGE_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// "code segment"; "unknown part" for a kind that this reader does not know.
const char* kind_name(uint32_t kind);

// Where the bytes come from. What was linked into a binary is as good as the code beside it, and
// the linker may have put addresses into it: its checksums and its place are not looked at.
enum class Source : uint8_t { kFile, kBinary };

// Checks the first page alone: magic, format version, checksum, and that the file is `file_bytes`
// long. `page` holds the file's first min(kPageBytes, file_bytes) bytes.
[[nodiscard]] bool check_first_page(std::span<const std::byte> page, uint64_t file_bytes,
                                    Problem& problem, Source source = Source::kFile);

// Checks that the running interpreter can use an image with that binding at all, relocated or not.
// Data is the same for all -O levels. Requires: attached.
[[nodiscard]] bool check_binding(const Binding& binding, bool is_data, Problem& problem);

class View {
 public:
  View() = default;

  // Requires: `file` stays where it is for as long as this is used.
  [[nodiscard]] static bool parse(std::span<const std::byte> file, View& view, Problem& problem,
                                  Source source = Source::kFile);

  const Header& header() const { return *header_; }
  std::span<const DirectoryEntry> directory() const { return directory_; }
  const DirectoryEntry* entry(Kind kind) const;

  std::span<const GroupEntry> groups() const { return groups_; }
  std::span<const ModuleEntry> modules() const { return modules_; }
  std::span<const RootEntry> roots() const { return roots_; }
  std::span<const ExternalEntry> externals() const { return externals_; }
  std::span<const std::byte> program(const ExternalEntry& external) const;
  std::string_view text(TextRef ref) const;

  // The extents of a group; and its bytes of one kind, empty if it has none.
  std::span<const ExtentEntry> extents(uint32_t group) const;
  std::span<const std::byte> part(uint32_t group, Kind kind) const;
  template <typename Entry>
  std::span<const Entry> table_part(uint32_t group, Kind kind) const;

  std::span<const std::byte> bytes(uint64_t offset, uint64_t count) const {
    return file_.subspan(offset, count);
  }

  // The segment that holds the byte at that offset; null if none does.
  const DirectoryEntry* segment_at(uint64_t offset) const;

  // True if [offset, offset + bytes) lies in one segment.
  bool in_segment(uint64_t offset, uint64_t bytes) const;

  // True if an object may start at that offset in one of the group's parts of the segments.
  bool in_group(uint32_t group, uint64_t offset) const;

  // "module 'json.decoder'" or "common group".
  std::string group_name(uint32_t group) const;

  const ModuleEntry* find_module(std::string_view name) const;

  // Checks the checksums of what belongs to a group: all of it, all but the tables that only
  // relocating and verifying read, or only the tables, which nobody writes to. Reads these bytes.
  enum class Parts { kAll, kWithoutRelocation, kTables };
  [[nodiscard]] bool check_group(uint32_t group, Parts parts, Problem& problem) const;

 private:
  bool parse_directory(Source source, Problem& problem);
  bool parse_groups(Problem& problem);
  bool parse_names(Problem& problem);
  bool parse_externals(Problem& problem);
  bool valid(TextRef ref) const;

  std::span<const std::byte> table_bytes(Kind kind) const;
  template <typename Entry>
  [[nodiscard]] bool read_table(Kind kind, const char* name, std::span<const Entry>& table,
                                Problem& problem);

  std::span<const std::byte> file_;
  const Header* header_ = nullptr;
  std::span<const DirectoryEntry> directory_;
  std::span<const std::byte> text_;
  std::span<const std::byte> programs_;
  std::span<const GroupEntry> groups_;
  std::span<const ExtentEntry> extents_;
  std::span<const ModuleEntry> modules_;
  std::span<const RootEntry> roots_;
  std::span<const ExternalEntry> externals_;
};

template <typename Entry>
std::span<const Entry> View::table_part(uint32_t group, Kind kind) const {
  const auto raw = part(group, kind);
  return {reinterpret_cast<const Entry*>(raw.data()), raw.size() / sizeof(Entry)};
}

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_VIEW_H_
