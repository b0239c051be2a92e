#include "tenure/immortal/image/view.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/checksum.h"

namespace tenure::image {
namespace {

constexpr uint64_t kLowestBase = 1ull << 32;
constexpr uint64_t kHighestEnd = 1ull << 47;

std::string number(uint64_t value) { return std::to_string(value); }

bool in_bounds(uint64_t offset, uint64_t bytes, uint64_t whole) {
  return offset <= whole && bytes <= whole - offset;
}

bool is_segment(uint32_t kind) { return kind >= kFirstSegmentKind; }

std::string kind_text(uint32_t kind) {
  return std::string(kind_name(kind)) + " (kind " + number(kind) + ")";
}

// What entries of a bulk table are multiples of; 1 for streams and segments.
size_t entry_bytes(Kind kind) {
  switch (kind) {
    case Kind::kActions:
      return sizeof(ActionEntry);
    case Kind::kStringUses:
      return sizeof(StringUse);
    case Kind::kActionSlots:
    case Kind::kStringSlots:
      return sizeof(uint32_t);
    default:
      return 1;
  }
}

bool is_for_relocation(Kind kind) {
  return kind == Kind::kInternalSlots || kind == Kind::kExternalSlots || kind == Kind::kObjects;
}

uint64_t first_page_checksum(std::span<const std::byte> page) {
  alignas(Header) std::array<std::byte, kPageBytes> copy;
  std::memcpy(copy.data(), page.data(), kPageBytes);
  std::memset(copy.data() + offsetof(Header, header_checksum), 0, sizeof(uint64_t));
  return checksum(copy);
}

}  // namespace

const char* kind_name(uint32_t kind) {
  switch (static_cast<Kind>(kind)) {
    case Kind::kText:
      return "text table";
    case Kind::kGroups:
      return "group table";
    case Kind::kExtents:
      return "extent table";
    case Kind::kModules:
      return "module table";
    case Kind::kRoots:
      return "root table";
    case Kind::kExternals:
      return "external table";
    case Kind::kPrograms:
      return "program table";
    case Kind::kActions:
      return "action table";
    case Kind::kActionSlots:
      return "action slots";
    case Kind::kStringUses:
      return "string uses";
    case Kind::kStringSlots:
      return "string slots";
    case Kind::kInternalSlots:
      return "internal slots";
    case Kind::kExternalSlots:
      return "external slots";
    case Kind::kObjects:
      return "object list";
    case Kind::kConstSegment:
      return "const segment";
    case Kind::kTextSegment:
      return "text segment";
    case Kind::kStringSegment:
      return "string segment";
    case Kind::kTupleSegment:
      return "tuple segment";
    case Kind::kBodySegment:
      return "body segment";
    case Kind::kCodeSegment:
      return "code segment";
    case Kind::kReplacedTupleSegment:
      return "replaced tuple segment";
    case Kind::kReplacedCodeSegment:
      return "replaced code segment";
    case Kind::kUtf8TextSegment:
      return "non-ASCII text segment";
    case Kind::kDictSegment:
      return "dict segment";
    case Kind::kReplacedDictSegment:
      return "replaced dict segment";
  }
  return "unknown part";
}

bool check_first_page(std::span<const std::byte> page, uint64_t file_bytes, Problem& problem,
                      Source source) {
  if (file_bytes == 0) return problem.refuse("file", "is empty");
  Header header;
  const size_t magic_bytes = std::min(page.size(), sizeof header.magic);
  if (std::memcmp(page.data(), kMagic, magic_bytes) != 0) {
    return problem.refuse("header", "is not that of a Tenure image");
  }
  if (page.size() < kPageBytes) {
    return problem.refuse("file", "is truncated: it ends after " + number(file_bytes) +
                                      " bytes, inside the header; freeze it again");
  }
  std::memcpy(&header, page.data(), sizeof header);
  if (header.format_version != kFormatVersion) {
    return problem.refuse("header", "has image format " + number(header.format_version) +
                                        ", this Tenure reads format " + number(kFormatVersion) +
                                        "; freeze it again");
  }
  if (source == Source::kFile && header.header_checksum != first_page_checksum(page)) {
    return problem.refuse("header", "is damaged: its checksum is wrong; freeze the image again");
  }
  if (header.header_bytes != sizeof(Header) || header.file_bytes % kPageBytes != 0 ||
      header.file_bytes > kHighestEnd) {
    return problem.refuse("header", "makes no sense: its sizes are impossible");
  }
  if (header.file_bytes != file_bytes) {
    return problem.refuse(
        "file", std::string(file_bytes < header.file_bytes ? "is truncated" : "is too long") +
                    ": it has " + number(file_bytes) + " bytes instead of " +
                    number(header.file_bytes) + "; freeze it again");
  }
  return true;
}

bool check_binding(const Binding& binding, bool is_data, Problem& problem) {
  // First: to freeze such an image again with this interpreter would be the wrong advice.
  if (!is_data && !abi::can_copy_code()) {
    return problem.refuse("module table",
                          "holds code, which free-threaded CPython cannot take from an image; "
                          "load images of data only, or use a CPython with a GIL");
  }
  const abi::Identity& self = abi::identity();
  const uint32_t made_minor = binding.python_version >> 16;
  const uint32_t own_minor = self.python_version >> 16;
  const std::string made_by = "was made by CPython " + abi::version_text(binding.python_version);
  const std::string this_one = ", this is CPython " + abi::version_text(self.python_version);
  const std::string running = this_one + "; freeze it again with this one";
  if (made_minor != own_minor || binding.bytecode_magic != self.bytecode_magic) {
    return problem.refuse("header", made_by + running);
  }
  if ((binding.free_threaded != 0) != self.free_threaded) {
    auto lock = [](bool free_threaded) { return free_threaded ? " without a GIL" : " with a GIL"; };
    return problem.refuse("header", made_by + lock(binding.free_threaded != 0) + this_one +
                                        lock(self.free_threaded) +
                                        "; freeze it again with this one");
  }
  if (binding.layout_fingerprint != self.layout_fingerprint) {
    return problem.refuse("header", made_by + ", whose objects are laid out differently" + running);
  }
  if (!is_data && binding.optimization != self.optimization) {
    auto option = [](uint32_t level) {
      return level == 0 ? "without -O" : level == 1 ? "with -O" : "with -OO";
    };
    return problem.refuse("header", std::string("was made ") + option(binding.optimization) +
                                        ", this interpreter runs " + option(self.optimization) +
                                        "; freeze it again with the same option");
  }
  return true;
}

const DirectoryEntry* View::entry(Kind kind) const {
  for (const DirectoryEntry& entry : directory_) {
    if (entry.kind == static_cast<uint32_t>(kind)) return &entry;
  }
  return nullptr;
}

std::span<const std::byte> View::table_bytes(Kind kind) const {
  const DirectoryEntry* found = entry(kind);
  return found ? file_.subspan(found->offset, found->bytes) : std::span<const std::byte>();
}

template <typename Entry>
bool View::read_table(Kind kind, const char* name, std::span<const Entry>& table,
                      Problem& problem) {
  const auto raw = table_bytes(kind);
  if (raw.size() % sizeof(Entry) != 0) {
    return problem.refuse(name, "has a size that is no multiple of its entries");
  }
  table = {reinterpret_cast<const Entry*>(raw.data()), raw.size() / sizeof(Entry)};
  return true;
}

bool View::parse(std::span<const std::byte> file, View& view, Problem& problem, Source source) {
  const auto page = file.first(std::min(file.size(), kPageBytes));
  if (!check_first_page(page, file.size(), problem, source)) return false;
  view.file_ = file;
  view.header_ = reinterpret_cast<const Header*>(file.data());
  return view.parse_directory(source, problem) && view.parse_groups(problem) &&
         view.parse_externals(problem) && view.parse_names(problem);
}

bool View::parse_directory(Source source, Problem& problem) {
  const Header& header = *header_;
  if (header.directory_count > kMaxDirectoryEntries) {
    return problem.refuse("header", "names more tables than fit into its page");
  }
  if (source == Source::kFile &&
      (header.preferred_base % kPageBytes != 0 || header.preferred_base < kLowestBase ||
       header.preferred_base > kHighestEnd - header.file_bytes)) {
    return problem.refuse("header", "asks for an address no image can have");
  }
  const uint64_t version_end = uint64_t{header.first_code_version} + header.code_version_count;
  if (header.code_version_count != 0 &&
      (header.first_code_version < abi::kFirstImageVersion || version_end > uint64_t{1} << 32)) {
    return problem.refuse("header", "claims code versions that belong to the interpreter");
  }
  if (header.hash_policy >= kHashPolicyEnd) {
    return problem.refuse("header", "wants hash policy " + number(header.hash_policy) +
                                        ", which this Tenure does not know; use a newer one");
  }
  if (header.binding.build_id_bytes > sizeof header.binding.build_id) {
    return problem.refuse("header", "has a build id that is too long");
  }
  directory_ = {reinterpret_cast<const DirectoryEntry*>(file_.data() + sizeof(Header)),
                header.directory_count};
  for (size_t i = 0; i < directory_.size(); ++i) {
    const DirectoryEntry& one = directory_[i];
    const std::string where = kind_text(one.kind);
    const bool known = std::strcmp(kind_name(one.kind), "unknown part") != 0;
    if (!known && (one.flags & kMustUnderstand)) {
      return problem.refuse(where, "is needed and not known to this Tenure; use a newer one");
    }
    if (!in_bounds(one.offset, one.bytes, file_.size()) || one.offset < kPageBytes) {
      return problem.refuse(where, "points outside the file: offset " + number(one.offset) + ", " +
                                       number(one.bytes) + " bytes");
    }
    if (one.offset % (is_segment(one.kind) ? kPageBytes : alignof(uint64_t)) != 0) {
      return problem.refuse(where, "is not aligned");
    }
    for (size_t other = 0; other < i; ++other) {
      const DirectoryEntry& two = directory_[other];
      if (one.kind == two.kind) return problem.refuse(where, "occurs twice");
      if (one.bytes && two.bytes && one.offset < two.offset + two.bytes &&
          two.offset < one.offset + one.bytes) {
        return problem.refuse(where, "overlaps the " + kind_text(two.kind));
      }
    }
    if (source == Source::kFile && !(one.flags & kBulk) &&
        checksum(file_.subspan(one.offset, one.bytes)) != one.checksum) {
      return problem.refuse(where, "is damaged: its checksum is wrong; freeze the image again");
    }
  }
  text_ = table_bytes(Kind::kText);
  programs_ = table_bytes(Kind::kPrograms);
  return read_table(Kind::kGroups, "group table", groups_, problem) &&
         read_table(Kind::kExtents, "extent table", extents_, problem) &&
         read_table(Kind::kModules, "module table", modules_, problem) &&
         read_table(Kind::kRoots, "root table", roots_, problem) &&
         read_table(Kind::kExternals, "external table", externals_, problem);
}

bool View::parse_groups(Problem& problem) {
  if (groups_.empty()) return problem.refuse("group table", "is empty");
  // The end of what earlier groups have of each kind: extents of a kind come in order.
  std::array<uint64_t, kSegmentKindEnd> ends{};
  uint64_t next_extent = 0;
  for (size_t group = 0; group < groups_.size(); ++group) {
    const GroupEntry& one = groups_[group];
    const std::string where = "group " + number(group);
    if (one.first_extent != next_extent ||
        !in_bounds(one.first_extent, one.extent_count, extents_.size())) {
      return problem.refuse(where, "has extents outside the extent table");
    }
    next_extent += one.extent_count;
    uint32_t last_kind = 0;
    for (const ExtentEntry& extent : extents(static_cast<uint32_t>(group))) {
      const auto kind = static_cast<Kind>(extent.kind);
      const DirectoryEntry* whole = entry(kind);
      if (extent.kind >= kSegmentKindEnd || !whole || !(whole->flags & kBulk)) {
        return problem.refuse(where, "has an extent in no table or segment of this file");
      }
      if (extent.kind <= last_kind) {
        return problem.refuse(where, "has its extents out of order");
      }
      last_kind = extent.kind;
      if (extent.offset < whole->offset ||
          !in_bounds(extent.offset - whole->offset, extent.bytes, whole->bytes) ||
          extent.bytes % entry_bytes(kind) != 0) {
        return problem.refuse(where, "points outside the " + kind_text(extent.kind));
      }
      if (extent.offset % (is_segment(extent.kind) ? abi::kObjectAlignment
                                                   : std::min<size_t>(entry_bytes(kind), 8)) !=
          0) {
        return problem.refuse(where, "is not aligned in the " + kind_text(extent.kind));
      }
      if (extent.offset < ends[extent.kind]) {
        return problem.refuse(where, "overlaps another group in the " + kind_text(extent.kind));
      }
      ends[extent.kind] = extent.offset + extent.bytes;
    }
  }
  return true;
}

bool View::parse_externals(Problem& problem) {
  for (size_t i = 0; i < externals_.size(); ++i) {
    const ExternalEntry& one = externals_[i];
    if (!in_bounds(one.program, one.program_bytes, programs_.size())) {
      return problem.refuse("external " + number(i), "has its program outside the program table");
    }
  }
  return true;
}

bool View::parse_names(Problem& problem) {
  std::string_view last;
  for (size_t i = 0; i < modules_.size(); ++i) {
    const ModuleEntry& one = modules_[i];
    const std::string where = "module " + number(i);
    if (!valid(one.name) || !valid(one.origin)) {
      return problem.refuse(where, "has its name outside the text table");
    }
    const std::string_view name = text(one.name);
    if (name.empty() || (i > 0 && name <= last)) {
      return problem.refuse(where, "is out of order: module names are sorted and differ");
    }
    last = name;
    if (one.group >= groups_.size()) {
      return problem.refuse(where, "belongs to a group that does not exist");
    }
    if (one.code == 0 || one.origin_object == 0) {
      return problem.refuse(where, "has no code or no origin");
    }
    // Elsewhere it would be used before its group is checked and its pointers are right.
    if (!in_group(one.group, one.code)) {
      return problem.refuse(where, "has its code outside its group, at offset " + number(one.code));
    }
    for (uint64_t object : {one.origin_object, one.cached_object}) {
      if (object == 0) continue;
      if (!in_group(one.group, object) && !in_group(kCommonGroup, object)) {
        return problem.refuse(where,
                              "names an object outside its group, at offset " + number(object));
      }
    }
  }
  for (size_t i = 0; i < roots_.size(); ++i) {
    const RootEntry& one = roots_[i];
    if (!valid(one.name) || one.group >= groups_.size() || !in_group(one.group, one.object)) {
      return problem.refuse("root " + number(i), "points outside its group");
    }
  }
  return true;
}

bool View::valid(TextRef ref) const { return in_bounds(ref.offset, ref.bytes, text_.size()); }

std::string_view View::text(TextRef ref) const {
  return {reinterpret_cast<const char*>(text_.data()) + ref.offset, ref.bytes};
}

std::span<const std::byte> View::program(const ExternalEntry& external) const {
  return programs_.subspan(external.program, external.program_bytes);
}

std::span<const ExtentEntry> View::extents(uint32_t group) const {
  return extents_.subspan(groups_[group].first_extent, groups_[group].extent_count);
}

std::span<const std::byte> View::part(uint32_t group, Kind kind) const {
  for (const ExtentEntry& extent : extents(group)) {
    if (extent.kind == static_cast<uint32_t>(kind))
      return file_.subspan(extent.offset, extent.bytes);
  }
  return {};
}

const DirectoryEntry* View::segment_at(uint64_t offset) const {
  for (const DirectoryEntry& one : directory_) {
    if (is_segment(one.kind) && offset - one.offset < one.bytes) return &one;
  }
  return nullptr;
}

bool View::in_group(uint32_t group, uint64_t offset) const {
  if (offset % alignof(void*) != 0) return false;
  for (const ExtentEntry& extent : extents(group)) {
    if (is_segment(extent.kind) && offset >= extent.offset &&
        in_bounds(offset - extent.offset, abi::kHeadBytes, extent.bytes)) {
      return true;
    }
  }
  return false;
}

bool View::in_segment(uint64_t offset, uint64_t bytes) const {
  const DirectoryEntry* segment = segment_at(offset);
  return segment != nullptr && in_bounds(offset - segment->offset, bytes, segment->bytes);
}

std::string View::group_name(uint32_t group) const {
  for (const ModuleEntry& module : modules_) {
    if (module.group == group) return "module '" + std::string(text(module.name)) + "'";
  }
  return group == kCommonGroup ? "common group" : "group " + number(group);
}

const ModuleEntry* View::find_module(std::string_view name) const {
  const auto found = std::lower_bound(modules_.begin(), modules_.end(), name,
                                      [this](const ModuleEntry& module, std::string_view wanted) {
                                        return text(module.name) < wanted;
                                      });
  return found != modules_.end() && text(found->name) == name ? &*found : nullptr;
}

bool View::check_group(uint32_t group, Parts parts, Problem& problem) const {
  for (const ExtentEntry& extent : extents(group)) {
    if (parts == Parts::kWithoutRelocation && is_for_relocation(static_cast<Kind>(extent.kind))) {
      continue;
    }
    if (parts == Parts::kTables && is_segment(extent.kind)) continue;
    if (checksum(file_.subspan(extent.offset, extent.bytes)) != extent.checksum) {
      return problem.refuse(group_name(group), "is damaged in the " + kind_text(extent.kind) +
                                                   ", between bytes " + number(extent.offset) +
                                                   " and " + number(extent.offset + extent.bytes) +
                                                   " of the file; freeze the image again");
    }
  }
  return true;
}

}  // namespace tenure::image
