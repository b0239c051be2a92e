#include "tenure/immortal/image/stamp.h"

#include <sys/xattr.h>
#include <time.h>

namespace tenure::image {
namespace {

constexpr const char* kAttribute = "user.tenure.checked";
constexpr int64_t kSecond = 1'000'000'000;

// How far apart two changes must be to get different times: some ticks of the kernel's clock or, on
// a file system that keeps whole seconds, two of those.
int64_t clock_step_ns(int64_t modified_ns) {
  return modified_ns % kSecond == 0 ? 2 * kSecond : 20'000'000;
}

int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

}  // namespace

FileId file_id(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
          status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec};
}

Stamp stamp_of(const FileId& file, uint64_t header_checksum) {
  return {{file.inode, file.bytes, static_cast<uint64_t>(file.modified_ns), header_checksum}};
}

Stamp read_stamp(int fd) {
  Stamp stamp;
  const ssize_t got = fgetxattr(fd, kAttribute, &stamp, sizeof stamp);
  return got == static_cast<ssize_t>(sizeof stamp) ? stamp : Stamp{};
}

void write_stamp(int fd, uint64_t header_checksum, bool wait) {
  struct stat status;
  if (fstat(fd, &status) != 0) return;
  const FileId file = file_id(status);
  const int64_t left = file.modified_ns + clock_step_ns(file.modified_ns) - now_ns();
  if (left > 0) {
    // A clock that was set back would have it wait for hours.
    if (!wait || left > clock_step_ns(file.modified_ns)) return;
    const timespec rest = {left / kSecond, left % kSecond};
    nanosleep(&rest, nullptr);
    if (fstat(fd, &status) != 0 || file_id(status) != file) return;
  }
  const Stamp stamp = stamp_of(file, header_checksum);
  fsetxattr(fd, kAttribute, &stamp, sizeof stamp, 0);
}

}  // namespace tenure::image
