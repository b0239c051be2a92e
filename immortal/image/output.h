// Writes a file so that nobody ever sees half of it.
#ifndef TENURE_IMMORTAL_IMAGE_OUTPUT_H_
#define TENURE_IMMORTAL_IMAGE_OUTPUT_H_

#include <cstddef>
#include <span>
#include <string>

namespace tenure::image {

// Writes to a temporary name beside `path`, flushes it to the disk, then renames it to `path`,
// replacing a regular file of that name. Answers 0 or an errno, after which neither the temporary
// file nor any change to `path` is left. Thread state: any; better detached.
[[nodiscard]] int write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_OUTPUT_H_
