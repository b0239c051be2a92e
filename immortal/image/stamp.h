// A mark on an image file: "all of its bytes were checked, and it has not been written to since".
//
// Data is not checked part by part as it is used, as code is, and reading ten megabytes takes
// longer than everything else that loading does. So it is checked once: whoever writes an image, or
// checks all of it, notes that in an extended attribute of the file, with what changes when the
// file does. A copy, a changed byte, a file brought from elsewhere has no such mark, or one that
// does not fit.
//
// Not for: proof. Who can write the file can write the mark, and damage behind the file system's
// back is not seen until check="full", as with any program that is mapped.
//
// Thread state: any. A file system that keeps no marks is as if there were none.
#ifndef TENURE_IMMORTAL_IMAGE_STAMP_H_
#define TENURE_IMMORTAL_IMAGE_STAMP_H_

#include <sys/stat.h>

#include <array>
#include <cstdint>

namespace tenure::image {

// Which file it is, whatever it is called.
struct FileId {
  uint64_t device;
  uint64_t inode;
  uint64_t bytes;
  int64_t modified_ns;
  bool operator==(const FileId&) const = default;
};

FileId file_id(const struct stat& status);

struct Stamp {
  // Room for the file's inode, size, time of change, and the checksum in its header.
  std::array<uint64_t, 4> fields{};
  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const FileId& file, uint64_t header_checksum);

// The mark on a file; all zero if there is none.
Stamp read_stamp(int fd);

// Marks a file. Only saves time: failure is ignored. Nothing is marked that was written so recently
// that it might be written once more at what the clock of files takes for the same time; with
// `wait` that is waited for, some hundredths of a second.
void write_stamp(int fd, uint64_t header_checksum, bool wait);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_STAMP_H_
