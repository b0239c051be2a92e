#include "tenure/tests/fuzz/image_body.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/code_versions.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/verify.h"

namespace tenure::fuzz {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// A file that is in memory and has a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes) : fd_(memfd_create("image", MFD_CLOEXEC)) {
    if (fd_ < 0) give_up("no file");
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written <= 0) give_up("cannot write");
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// The reason of a refusal: there is one, and one only.
std::string reason(const image::Problem& problem) {
  const bool raised = PyErr_Occurred() != nullptr;
  PyErr_Clear();
  if (raised != problem.python_error)
    give_up("an error is pending and the problem does not say so");
  if (raised) return problem.where + ": Python error";
  if (problem.where.empty() || problem.what.empty()) give_up("a refusal without a reason");
  return problem.where + " " + problem.what;
}

}  // namespace

std::string use_image(std::span<const std::byte> file) {
  const MemoryFile memory(file);
  image::Problem problem;
  const auto image = image::Image::load(memory.path(), image::Check::kLazy, problem);
  if (image == nullptr) return reason(problem);
  std::string why;
  // Group by group: one that is refused must not keep the others from being tried.
  for (uint32_t group = 0; group < image->view().groups().size(); ++group) {
    image::Problem of_group;
    if (!image->prepare(group, of_group)) why = reason(of_group);
  }
  image::Verified verified;
  if (!image::verify(*image, verified, problem)) {
    why = reason(problem);
  } else if (!why.empty()) {
    give_up("an image that cannot be prepared is verified");
  }
  // A header can claim all versions there are, and code that is never run needs none: the next one
  // shall not be refused for that.
  if (image->view().header().code_version_count != 0) {
    image::release_code_versions(PyInterpreterState_GetID(PyInterpreterState_Get()),
                                 image->first_code_version());
  }
  return why;
}

}  // namespace tenure::fuzz
