#include "tenure/immortal/image/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/view.h"

#ifndef MADV_POPULATE_WRITE  // Linux 5.14; older C libraries do not name them
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace tenure::image {
namespace {

// Modules are smaller than what is worth a system call, and those imported together stand together.
// A page that is read costs a table entry; one that is written, a copy.
constexpr uint64_t kWriteChunkBytes = 8 * kPageBytes;
constexpr uint64_t kReadChunkBytes = 64 * kPageBytes;

class File {
 public:
  // Without waiting for the other end of what turns out to be a pipe.
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool refuse_errno(Problem& problem, const char* what) {
  return problem.refuse("file", std::string(what) + ": " + std::strerror(errno));
}

bool open_file(const File& file, FileId& id, Problem& problem) {
  struct stat status;
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0) {
    return refuse_errno(problem, "cannot be opened");
  }
  id = file_id(status);
  return S_ISREG(status.st_mode) || problem.refuse("file", "is not a regular file");
}

// mmap() at the preferred address if that is free, else anywhere; MAP_FAILED with errno set.
void* place(uint64_t preferred_base, uint64_t bytes, int access, int flags, int fd) {
  void* const wanted = reinterpret_cast<void*>(preferred_base);
  // Root may map what lies at 0, where it could not be told from nothing.
  if (wanted != nullptr) {
    void* base = mmap(wanted, bytes, access, flags | MAP_FIXED_NOREPLACE, fd, 0);
    if (base == wanted) return base;
    // A kernel before 4.17 takes the flag for a hint.
    if (base != MAP_FAILED) munmap(base, bytes);
  }
  return mmap(nullptr, bytes, access, flags, fd, 0);
}

// A second mapping of the file's pages that are mapped at `section`, in place of an unused one
// that is as large; if that fails, where the system has put it. MAP_FAILED with errno set.
void* map_again(std::span<const std::byte> section, void* to) {
  void* const from = const_cast<std::byte*>(section.data());
  const size_t bytes = section.size();
  // Of a private mapping that was never written, what is left behind is what was there. In two
  // steps: a system that refuses the first has not unmapped anything yet. Not by mremap(), of which
  // not every C library passes the last argument on without MREMAP_FIXED, and here it is a wish.
  const long answer =
      syscall(SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  if (answer == -1) return MAP_FAILED;
  void* again = reinterpret_cast<void*>(answer);
  void* moved = mremap(again, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  return moved == MAP_FAILED ? again : moved;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      bytes_(other.bytes_),
      keep_(other.keep_),
      written_chunks_(std::move(other.written_chunks_)),
      read_chunks_(std::move(other.read_chunks_)),
      file_(other.file_),
      stamp_(other.stamp_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(keep_, other.keep_);
  std::swap(written_chunks_, other.written_chunks_);
  std::swap(read_chunks_, other.read_chunks_);
  std::swap(file_, other.file_);
  std::swap(stamp_, other.stamp_);
  return *this;
}

Mapping::~Mapping() {
  if (base_ != nullptr && !keep_) munmap(base_, bytes_);
}

bool Mapping::map(const std::string& path, Mapping& mapping, Problem& problem) {
  const File file(path);
  FileId id;
  if (!open_file(file, id, problem)) return false;
  alignas(Header) std::array<std::byte, kPageBytes> page;
  const ssize_t got = pread(file.fd(), page.data(), page.size(), 0);
  if (got < 0) return refuse_errno(problem, "cannot be read");
  if (!check_first_page(std::span(page).first(static_cast<size_t>(got)), id.bytes, problem)) {
    return false;
  }
  const auto& header = *reinterpret_cast<const Header*>(page.data());
  const int access = PROT_READ | PROT_WRITE;
  void* base = place(header.preferred_base, id.bytes, access, MAP_PRIVATE, file.fd());
  if (base == MAP_FAILED) return refuse_errno(problem, "cannot be mapped");
  mapping.base_ = static_cast<std::byte*>(base);
  mapping.bytes_ = id.bytes;
  mapping.file_ = id;
  mapping.stamp_ = read_stamp(file.fd());
  return true;
}

bool Mapping::map_linked(std::span<const std::byte> section, Mapping& mapping, Problem& problem) {
  const auto page = section.first(std::min(section.size(), kPageBytes));
  if (!check_first_page(page, section.size(), problem, Source::kBinary)) return false;
  const auto& header = *reinterpret_cast<const Header*>(section.data());
  mapping.bytes_ = section.size();
  if (header.preferred_base == reinterpret_cast<uint64_t>(section.data())) {
    mapping.base_ = const_cast<std::byte*>(section.data());
    mapping.keep_for_ever();
    return true;
  }
  // Reserved, not yet paid for.
  void* base = place(header.preferred_base, section.size(), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (base == MAP_FAILED) return refuse_errno(problem, "cannot be mapped");
  void* again = map_again(section, base);
  const bool is_copy = again == MAP_FAILED;
  mapping.base_ = static_cast<std::byte*>(is_copy ? base : again);
  if (!mapping.allow_writes(0, section.size(), problem)) return false;
  if (is_copy) std::memcpy(base, section.data(), section.size());
  return true;
}

bool Mapping::allow_writes(uint64_t offset, uint64_t bytes, Problem& problem) {
  return mprotect(base_ + offset, bytes, PROT_READ | PROT_WRITE) == 0 ||
         refuse_errno(problem, "cannot be made writable");
}

bool Mapping::map_for_reading(const std::string& path, Mapping& mapping, Problem& problem) {
  const File file(path);
  FileId id;
  if (!open_file(file, id, problem)) return false;
  if (id.bytes == 0) return problem.refuse("file", "is empty");
  void* base = mmap(nullptr, id.bytes, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (base == MAP_FAILED) return refuse_errno(problem, "cannot be mapped");
  mapping.base_ = static_cast<std::byte*>(base);
  mapping.bytes_ = id.bytes;
  mapping.file_ = id;
  return true;
}

void Mapping::populate(uint64_t offset, uint64_t bytes, uint64_t chunk_bytes, int advice,
                       std::vector<bool>& chunks) {
  if (bytes == 0) return;
  if (chunks.empty()) chunks.resize(bytes_ / chunk_bytes + 1);
  const uint64_t last = (offset + bytes - 1) / chunk_bytes;
  for (uint64_t chunk = offset / chunk_bytes; chunk <= last; ++chunk) {
    if (chunks[chunk]) continue;
    uint64_t end = chunk;
    while (end <= last && !chunks[end]) chunks[end++] = true;
    const uint64_t begin = chunk * chunk_bytes;
    madvise(base_ + begin, std::min(end * chunk_bytes, bytes_) - begin, advice);
    chunk = end;
  }
}

void Mapping::expect_writes(uint64_t offset, uint64_t bytes) {
  populate(offset, bytes, kWriteChunkBytes, MADV_POPULATE_WRITE, written_chunks_);
}

void Mapping::expect_reads(uint64_t offset, uint64_t bytes) {
  populate(offset, bytes, kReadChunkBytes, MADV_POPULATE_READ, read_chunks_);
}

void mark_checked(const std::string& path, const FileId& file, uint64_t header_checksum) {
  const File opened(path);
  struct stat status;
  if (opened.fd() >= 0 && fstat(opened.fd(), &status) == 0 && file_id(status) == file) {
    write_stamp(opened.fd(), header_checksum, false);
  }
}

bool identify(const std::string& path, FileId& file, Problem& problem) {
  return open_file(File(path), file, problem);
}

}  // namespace tenure::image
