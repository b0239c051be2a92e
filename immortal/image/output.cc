#include "tenure/immortal/image/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/stamp.h"

namespace tenure::image {
namespace {

int write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

void mark_as_checked(int fd, std::span<const std::span<const std::byte>> pieces) {
  Header header;
  std::memcpy(&header, pieces[0].data(), sizeof header);
  write_stamp(fd, header.header_checksum, true);
}

}  // namespace

int write_pieces(int fd, std::span<const std::span<const std::byte>> pieces) {
  for (const auto& piece : pieces) {
    if (const int error = write_all(fd, piece); error != 0) return error;
  }
  return 0;
}

int write_file(const std::string& path, std::span<const std::span<const std::byte>> pieces,
               Stamped stamped) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return S_ISDIR(status.st_mode) ? EISDIR : EEXIST;
  }
  const std::string temporary = path + "." + std::to_string(getpid()) + ".tmp";
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = open(temporary.c_str(), flags, 0666);
  if (fd < 0 && errno == EEXIST && unlink(temporary.c_str()) == 0) {
    // Left by a process of our number that was killed.
    fd = open(temporary.c_str(), flags, 0666);
  }
  if (fd < 0) return errno;
  int error = write_pieces(fd, pieces);
  if (error == 0 && fsync(fd) != 0) error = errno;
  if (error == 0 && stamped == Stamped::kYes) mark_as_checked(fd, pieces);
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) unlink(temporary.c_str());
  return error;
}

}  // namespace tenure::image
