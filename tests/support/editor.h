// Changes a valid image into a damaged one, and makes its checksums right again.
//
// Thread state: any; no Python object is touched.
#ifndef TENURE_TESTS_SUPPORT_EDITOR_H_
#define TENURE_TESTS_SUPPORT_EDITOR_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenure/immortal/image/format.h"

namespace tenure::testing {

class Editor {
 public:
  // Requires: a file that a writer made; damage comes later.
  explicit Editor(std::vector<std::byte> file) : file_(std::move(file)) {}

  std::vector<std::byte>& file() { return file_; }

  image::Header& header() { return *at<image::Header>(0); }
  image::Binding& binding() { return header().binding; }

  std::span<image::DirectoryEntry> directory() {
    return {at<image::DirectoryEntry>(sizeof(image::Header)), header().directory_count};
  }
  image::DirectoryEntry& entry(image::Kind kind);

  // The table of that kind; T is its entry, or std::byte.
  template <typename T>
  std::span<T> table(image::Kind kind) {
    const image::DirectoryEntry& found = entry(kind);
    return {at<T>(found.offset), found.bytes / sizeof(T)};
  }

  // The extent that a group has of that kind.
  image::ExtentEntry& extent(uint32_t group, image::Kind kind);

  // The part of a table or segment that belongs to a group.
  template <typename T>
  std::span<T> part(uint32_t group, image::Kind kind) {
    const image::ExtentEntry& found = extent(group, kind);
    return {at<T>(found.offset), found.bytes / sizeof(T)};
  }

  // Which group a module is.
  uint32_t group_of(const std::string& module);

  template <typename T>
  T* at(uint64_t offset) {
    return reinterpret_cast<T*>(file_.data() + offset);
  }

  // Appends `bytes` as an entry of that kind at the end of the file.
  image::DirectoryEntry& append(uint32_t kind, uint32_t flags, std::span<const std::byte> bytes);

  // Makes every checksum right that is of bytes inside the file; the header's comes last.
  void fix();

 private:
  std::vector<std::byte> file_;
};

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_EDITOR_H_
