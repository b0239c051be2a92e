#include "tenure/immortal/image/fixed_hashes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/filling.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/objects.h"
#include "tenure/immortal/image/output.h"

namespace tenure::image {
namespace {

// A file that is in memory and has a path while this lives.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("tenure", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// Takes over what was filled in, and nothing else: slots of actions hold objects of this process.
bool take_over(const Image& image, Assembly& assembly, Problem& problem) {
  return for_each_object(
      image.view(), kCommonGroup, problem, [&](uint64_t offset, const abi::Shape& shape) {
        const auto* filled = reinterpret_cast<const std::byte*>(image.object(offset));
        for (const abi::Field& field : shape.fields) {
          if (field.role != abi::FieldRole::kHash && field.role != abi::FieldRole::kFlags) continue;
          std::memcpy(assembly.at(offset) + field.offset, filled + field.offset, field.bytes);
        }
        return true;
      });
}

}  // namespace

bool fix_hashes(Assembly& assembly, Problem& problem) {
  const MemoryFile file;
  int error = file.fd() < 0 ? errno : write_pieces(file.fd(), assembly.pieces());
  if (error != 0) {
    return problem.refuse("image", std::string("cannot be filled in: ") + std::strerror(error));
  }
  const std::unique_ptr<Image> image = Image::load(file.path(), Check::kLazy, problem);
  std::vector<ByteRange> open;
  if (image == nullptr || !fill(*image, open, problem) || !take_over(*image, assembly, problem)) {
    return false;
  }
  assembly.seal_checksums();
  return true;
}

}  // namespace tenure::image
