// An image mapped privately, from a file or from the binary that it was linked into: what is
// written to it is this process's own.
//
// Whoever writes into the file itself while it is mapped changes it under the program, and whoever
// truncates it makes the program crash: replace images by renaming, as the writer does.
#ifndef TENURE_IMMORTAL_IMAGE_MAPPING_H_
#define TENURE_IMMORTAL_IMAGE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenure/immortal/image/problem.h"
#include "tenure/immortal/image/stamp.h"

namespace tenure::image {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();  // unmaps

  // Opens `path`, checks its first page, and maps the whole file readable and writable: at the
  // address its header prefers if that is free, else anywhere. Thread state: any.
  [[nodiscard]] static bool map(const std::string& path, Mapping& mapping, Problem& problem);

  // As map(), without checking anything, readable only: for looking at files that may be damaged.
  [[nodiscard]] static bool map_for_reading(const std::string& path, Mapping& mapping,
                                            Problem& problem);

  // An image that is part of a binary of this process. Where it was linked for the place at which
  // it lies, it is used there: nothing is mapped, and it is for the caller to allow_writes(). Else
  // the same pages of the binary's file, whatever has become of its name, are mapped once more,
  // where and as map() does; copied, before Linux 5.13. Thread state: any.
  // Requires: `section` is whole pages, never written, and stays for ever.
  [[nodiscard]] static bool map_linked(std::span<const std::byte> section, Mapping& mapping,
                                       Problem& problem);

  // Makes the pages of [offset, offset + bytes) writable.
  [[nodiscard]] bool allow_writes(uint64_t offset, uint64_t bytes, Problem& problem);

  std::byte* base() const { return base_; }
  std::span<const std::byte> bytes() const { return {base_, bytes_}; }
  const FileId& file() const { return file_; }

  // True if the file was marked as checked, with that checksum in its header, when it was mapped.
  bool was_checked(uint64_t header_checksum) const {
    return stamp_ == stamp_of(file_, header_checksum);
  }

  // Has the kernel copy the pages of [offset, offset + bytes) now, in one go and some neighbours
  // with them, because they are about to be written: half the price of copying them one fault at a
  // time, less if nobody has read them before. Only saves time: failure is ignored.
  void expect_writes(uint64_t offset, uint64_t bytes);

  // Has the kernel map the pages of [offset, offset + bytes) and some behind them, because they are
  // about to be read. Only saves time, as above.
  void expect_reads(uint64_t offset, uint64_t bytes);

  // The pages stay mapped until the process ends, whatever becomes of this.
  void keep_for_ever() { keep_ = true; }

 private:
  std::byte* base_ = nullptr;
  size_t bytes_ = 0;
  bool keep_ = false;
  std::vector<bool> written_chunks_;  // that expect_writes() has had copied
  std::vector<bool> read_chunks_;     // that expect_reads() has had mapped
  void populate(uint64_t offset, uint64_t bytes, uint64_t chunk_bytes, int advice,
                std::vector<bool>& chunks);
  FileId file_{};
  Stamp stamp_;
};

// Marks the file at `path` as checked (stamp.h) if it is still that one.
void mark_checked(const std::string& path, const FileId& file, uint64_t header_checksum);

// Which file `path` is now; false with `problem` if it cannot be opened.
[[nodiscard]] bool identify(const std::string& path, FileId& file, Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_MAPPING_H_
