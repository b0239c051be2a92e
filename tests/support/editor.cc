#include "tenure/tests/support/editor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tenure/immortal/image/checksum.h"

namespace tenure::testing {
namespace {

using image::DirectoryEntry;
using image::ExtentEntry;
using image::GroupEntry;
using image::Kind;

[[noreturn]] void missing(const char* what, uint32_t number) {
  std::fprintf(stderr, "test: the image has no %s %u\n", what, number);
  std::abort();
}

bool inside(uint64_t offset, uint64_t bytes, uint64_t whole) {
  return offset <= whole && bytes <= whole - offset;
}

}  // namespace

DirectoryEntry& Editor::entry(Kind kind) {
  for (DirectoryEntry& one : directory()) {
    if (one.kind == static_cast<uint32_t>(kind)) return one;
  }
  missing("entry of kind", static_cast<uint32_t>(kind));
}

ExtentEntry& Editor::extent(uint32_t group, Kind kind) {
  const GroupEntry& run = table<GroupEntry>(Kind::kGroups)[group];
  for (ExtentEntry& one :
       table<ExtentEntry>(Kind::kExtents).subspan(run.first_extent, run.extent_count)) {
    if (one.kind == static_cast<uint32_t>(kind)) return one;
  }
  missing("extent of kind", static_cast<uint32_t>(kind));
}

uint32_t Editor::group_of(const std::string& module) {
  const auto text = table<char>(Kind::kText);
  for (const image::ModuleEntry& one : table<image::ModuleEntry>(Kind::kModules)) {
    if (std::string_view(text.data() + one.name.offset, one.name.bytes) == module) return one.group;
  }
  missing("module", 0);
}

DirectoryEntry& Editor::append(uint32_t kind, uint32_t flags, std::span<const std::byte> bytes) {
  const uint64_t offset = file_.size();
  const uint64_t room = (bytes.size() + image::kPageBytes - 1) / image::kPageBytes;
  file_.resize(offset + room * image::kPageBytes);
  std::copy(bytes.begin(), bytes.end(), file_.begin() + static_cast<ptrdiff_t>(offset));
  header().file_bytes = file_.size();
  ++header().directory_count;
  DirectoryEntry& added = directory().back();
  added = {kind, flags, offset, bytes.size(), 0};
  return added;
}

void Editor::fix() {
  if (file_.size() < image::kPageBytes) return;
  const std::span<const std::byte> all(file_);
  const size_t count = std::min(header().directory_count, image::kMaxDirectoryEntries);
  const std::span entries(at<DirectoryEntry>(sizeof(image::Header)), count);
  // Extents first: the checksum of their table covers theirs.
  for (const DirectoryEntry& one : entries) {
    if (one.kind != static_cast<uint32_t>(Kind::kExtents)) continue;
    if (!inside(one.offset, one.bytes, all.size()) || one.offset % alignof(ExtentEntry) != 0) {
      continue;
    }
    for (ExtentEntry& extent :
         std::span(at<ExtentEntry>(one.offset), one.bytes / sizeof(ExtentEntry))) {
      if (!inside(extent.offset, extent.bytes, all.size())) continue;
      extent.checksum = image::checksum(all.subspan(extent.offset, extent.bytes));
    }
  }
  for (DirectoryEntry& one : entries) {
    if ((one.flags & image::kBulk) || !inside(one.offset, one.bytes, all.size())) continue;
    one.checksum = image::checksum(all.subspan(one.offset, one.bytes));
  }
  header().header_checksum = 0;
  header().header_checksum = image::checksum(all.first(image::kPageBytes));
}

}  // namespace tenure::testing
