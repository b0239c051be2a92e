#include "tenure/immortal/image/assembly.h"

#include <cstring>
#include <limits>
#include <utility>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/places.h"
#include "tenure/immortal/image/checksum.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

constexpr uint64_t kBaseStep = uint64_t{1} << 21;

// Slots and strings are numbered in 32 bits.
constexpr uint64_t kMaxSegmentBytes = uint64_t{std::numeric_limits<uint32_t>::max()} * kSlotBytes;

constexpr std::array<std::byte, kPageBytes> kZeros{};

constexpr uint64_t kTableAlignment = 16;

uint64_t round_up(uint64_t bytes, uint64_t step) { return (bytes + step - 1) / step * step; }

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

bool is_bulk(size_t kind) { return static_cast<Kind>(kind) >= Kind::kActions; }

void describe_binding(Binding& binding) {
  const abi::Identity& self = abi::identity();
  binding.python_version = self.python_version;
  binding.bytecode_magic = self.bytecode_magic;
  binding.free_threaded = self.free_threaded;
  binding.debug = self.debug;
  binding.optimization = self.optimization;
  binding.layout_fingerprint = self.layout_fingerprint;
  binding.load_bias = self.load_bias;
  binding.witness = self.witness;
  binding.build_id_bytes = self.build_id_bytes;
  std::memcpy(binding.build_id, self.build_id.data(), self.build_id.size());
}

}  // namespace

bool Assembly::place(const std::array<uint64_t, kSegments>& segment_bytes, Problem& problem) {
  uint64_t next = kPageBytes;
  for (size_t segment = 0; segment < kSegments; ++segment) {
    segment_offsets_[segment] = next;
    segment_sizes_[segment] = segment_bytes[segment];
    next = round_up(next + segment_bytes[segment], kPageBytes);
  }
  segments_bytes_ = next - kPageBytes;
  if (segments_bytes_ > kMaxSegmentBytes) {
    return problem.refuse("image", "is too large: " + std::to_string(segments_bytes_) +
                                       " bytes of objects; freeze less into it");
  }
  // Zeroed without being touched.
  segments_.reset(static_cast<std::byte*>(std::calloc(segments_bytes_ + 1, 1)));
  if (segments_ == nullptr) {
    return problem.refuse("image", "needs " + std::to_string(segments_bytes_) +
                                       " bytes, more memory than there is; freeze less into it");
  }
  return true;
}

TextRef Assembly::text(std::string_view text) {
  std::string& all = table(Kind::kText);
  const TextRef ref{static_cast<uint32_t>(all.size()), static_cast<uint32_t>(text.size())};
  all += text;
  return ref;
}

void Assembly::write_externals(std::span<const External> externals) {
  for (const External& external : externals) {
    const bool has_address = external.flags != 0;
    ExternalEntry entry{};
    entry.program = static_cast<uint32_t>(table(Kind::kPrograms).size());
    entry.program_bytes = static_cast<uint32_t>(external.program.size());
    entry.flags = external.flags;
    entry.address = has_address ? reinterpret_cast<uint64_t>(external.object) : 0;
    table(Kind::kPrograms) += external.program;
    append(Kind::kExternals, entry);
    external_addresses_.push_back(entry.address);
  }
}

void Assembly::end_group(uint32_t group, const std::array<Run, kSegments>& runs) {
  for (size_t kind = static_cast<size_t>(Kind::kActions); kind < kTableEnd; ++kind) {
    const uint64_t begin = std::exchange(group_begins_[kind], tables_[kind].size());
    const uint64_t count = tables_[kind].size() - begin;
    if (count != 0) extents_[group].push_back({static_cast<uint32_t>(kind), 0, begin, count, 0});
  }
  for (size_t segment = 0; segment < kSegments; ++segment) {
    const Run& run = runs[segment];
    if (run.begin == run.end) continue;
    extents_[group].push_back({static_cast<uint32_t>(segment + kFirstSegmentKind), 0,
                               segment_offsets_[segment] + run.begin, run.end - run.begin, 0});
  }
}

void Assembly::finish(const Hashes& hashes) {
  choose_identity(hashes);
  link();
  lay_out_tables();
  write_header(hashes);
  seal_checksums();
}

// The address and the code versions follow from the content, so that freezing twice gives the same
// bytes and two images seldom want the same place.
void Assembly::choose_identity(const Hashes& hashes) {
  content_id_[0] = checksum(all_segments());
  std::string names = table(Kind::kText) + table(Kind::kModules) + table(Kind::kPrograms);
  names.append(reinterpret_cast<const char*>(content_id_), sizeof content_id_[0]);
  // The same data with other hashes may be loaded beside it.
  names.append(reinterpret_cast<const char*>(&hashes.policy), sizeof hashes.policy);
  names.append(reinterpret_cast<const char*>(&hashes.witness), sizeof hashes.witness);
  content_id_[1] = checksum(as_bytes(names));
  const uint64_t places = (abi::kImagesEnd - abi::kImagesBegin - segments_bytes_) / kBaseStep / 2;
  base_ = abi::kImagesBegin + content_id_[1] % places * kBaseStep;
  if (code_.empty()) return;
  const uint64_t versions = (uint64_t{1} << 32) - abi::kFirstImageVersion - code_.size();
  first_code_version_ =
      abi::kFirstImageVersion + static_cast<uint32_t>((content_id_[1] >> 20) % versions);
}

// Makes every pointer right for the base address and for this interpreter.
void Assembly::link() {
  for (const auto& group : extents_) {
    for (const ExtentEntry& extent : group) {
      const auto kind = static_cast<Kind>(extent.kind);
      if (kind != Kind::kInternalSlots && kind != Kind::kExternalSlots) continue;
      StreamReader in(as_bytes(table(kind)).subspan(extent.offset, extent.bytes));
      uint32_t number = 0;
      while (kind == Kind::kInternalSlots && !in.at_end()) {
        number += static_cast<uint32_t>(in.varint());
        slot(number) += base_;
      }
      while (kind == Kind::kExternalSlots && !in.at_end()) {
        const uint64_t address = external_addresses_[in.varint()];
        number = 0;
        for (uint64_t count = in.varint(); count != 0; --count) {
          number += static_cast<uint32_t>(in.varint());
          slot(number) = address;
        }
      }
    }
  }
  uint32_t version = first_code_version_;
  for (uint64_t code : code_) abi::set_code_version(at(code), version++);
}

// Behind the segments.
void Assembly::lay_out_tables() {
  uint64_t extent_count = 0;
  for (const auto& group : extents_) extent_count += group.size();
  table(Kind::kExtents).resize(extent_count * sizeof(ExtentEntry));
  table(Kind::kGroups).resize(extents_.size() * sizeof(GroupEntry));
  uint64_t next = kPageBytes + segments_bytes_;
  for (size_t kind = kFirstTable; kind < kTableEnd; ++kind) {
    table_offsets_[kind] = next;
    next = round_up(next + tables_[kind].size(), kTableAlignment);
  }
  file_bytes_ = round_up(next, kPageBytes);
  for (auto& group : extents_) {
    for (ExtentEntry& extent : group) {
      if (extent.kind < kFirstSegmentKind) extent.offset += table_offsets_[extent.kind];
    }
  }
}

// The bytes that an extent names.
std::span<const std::byte> Assembly::bytes(uint64_t offset, uint64_t count) const {
  if (offset < kPageBytes + segments_bytes_) {
    return all_segments().subspan(offset - kPageBytes, count);
  }
  size_t kind = kFirstTable;
  while (kind + 1 < kTableEnd && table_offsets_[kind + 1] <= offset) ++kind;
  return as_bytes(tables_[kind]).subspan(offset - table_offsets_[kind], count);
}

void Assembly::write_extents() {
  std::string& extents = table(Kind::kExtents);
  std::string& groups = table(Kind::kGroups);
  extents.clear();
  groups.clear();
  uint32_t first_extent = 0;
  for (auto& group : extents_) {
    append(Kind::kGroups, GroupEntry{first_extent, static_cast<uint32_t>(group.size())});
    first_extent += static_cast<uint32_t>(group.size());
    for (ExtentEntry& extent : group) {
      extent.checksum = checksum(bytes(extent.offset, extent.bytes));
      append(Kind::kExtents, extent);
    }
  }
}

void Assembly::write_header(const Hashes& hashes) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.format_version = kFormatVersion;
  header.header_bytes = sizeof(Header);
  header.file_bytes = file_bytes_;
  header.preferred_base = base_;
  std::memcpy(header.content_id, content_id_, sizeof content_id_);
  header.hash_policy = static_cast<uint32_t>(hashes.policy);
  header.first_code_version = first_code_version_;
  header.code_version_count = static_cast<uint32_t>(code_.size());
  describe_binding(header.binding);
  header.hash_witness = hashes.witness;
  std::memcpy(page_.data(), &header, sizeof header);
}

void Assembly::seal_checksums() {
  write_extents();
  std::vector<DirectoryEntry> directory;
  for (size_t kind = kFirstTable; kind < kTableEnd; ++kind) {
    if (tables_[kind].empty()) continue;
    const bool bulk = is_bulk(kind);
    directory.push_back({static_cast<uint32_t>(kind), kMustUnderstand | (bulk ? kBulk : 0u),
                         table_offsets_[kind], tables_[kind].size(),
                         bulk ? 0 : checksum(as_bytes(tables_[kind]))});
  }
  for (size_t segment = 0; segment < kSegments; ++segment) {
    if (segment_sizes_[segment] == 0) continue;
    directory.push_back({static_cast<uint32_t>(segment + kFirstSegmentKind),
                         kMustUnderstand | kBulk, segment_offsets_[segment],
                         segment_sizes_[segment], 0});
  }
  auto& header = *reinterpret_cast<Header*>(page_.data());
  header.directory_count = static_cast<uint32_t>(directory.size());
  header.header_checksum = 0;
  std::memcpy(page_.data() + sizeof header, directory.data(),
              directory.size() * sizeof(DirectoryEntry));
  header.header_checksum = checksum(page_);
}

std::vector<std::span<const std::byte>> Assembly::pieces() const {
  std::vector<std::span<const std::byte>> pieces = {page_, all_segments()};
  uint64_t at = kPageBytes + segments_bytes_;
  auto fill = [&](uint64_t to) {
    if (to != at) pieces.push_back(std::span(kZeros).first(to - at));
    at = to;
  };
  for (size_t kind = kFirstTable; kind < kTableEnd; ++kind) {
    fill(table_offsets_[kind]);
    pieces.push_back(as_bytes(tables_[kind]));
    at += tables_[kind].size();
  }
  fill(file_bytes_);
  return pieces;
}

}  // namespace tenure::image
