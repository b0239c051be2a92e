// Writes a file so that nobody ever sees half of it.
#ifndef TENURE_IMMORTAL_IMAGE_OUTPUT_H_
#define TENURE_IMMORTAL_IMAGE_OUTPUT_H_

#include <cstddef>
#include <span>
#include <string>

namespace tenure::image {

enum class Stamped : bool { kNo, kYes };

// Writes the pieces, one after the other, to a temporary name beside `path`, flushes it to the
// disk, then renames it to `path`, replacing a regular file of that name. Answers 0 or an errno,
// after which neither the temporary file nor any change to `path` is left. kYes: the pieces are an
// image, and the file is marked as checked (stamp.h). Thread state: any; better detached.
[[nodiscard]] int write_file(const std::string& path,
                             std::span<const std::span<const std::byte>> pieces,
                             Stamped stamped = Stamped::kNo);

// Writes the pieces to an open file. Answers 0 or an errno. Thread state: any.
[[nodiscard]] int write_pieces(int fd, std::span<const std::span<const std::byte>> pieces);

// The same as write_file(), of one piece.
[[nodiscard]] inline int write_file(const std::string& path, std::span<const std::byte> bytes) {
  return write_file(path, {&bytes, 1});
}

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_OUTPUT_H_
