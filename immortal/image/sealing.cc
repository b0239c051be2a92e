#include "tenure/immortal/image/sealing.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "tenure/core/abi/fill.h"
#include "tenure/immortal/image/objects.h"

namespace tenure::image {
namespace {

// Guards seals. Held over a fork, so that the child finds it free.
constinit std::mutex sealing;

void hold_over_forks() {
  static const int registered =
      pthread_atfork([] { sealing.lock(); }, [] { sealing.unlock(); }, [] { sealing.unlock(); });
  (void)registered;
}

// Pushed in front of under the mutex, with a release; nothing is ever taken out.
constinit std::atomic<SealedImage*> newest{nullptr};

SealedImage* find(const Image& image) {
  for (SealedImage* one = newest.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (one->base == image.mapping().base()) return one;
  }
  return nullptr;
}

SealedImage& find_or_add(const Image& image) {
  if (SealedImage* known = find(image)) return *known;
  auto* added = new SealedImage{image.mapping().base(), image.view(), image.path(), {}};
  added->next = newest.load(std::memory_order_relaxed);
  newest.store(added, std::memory_order_release);
  return *added;
}

// True if all of the pages could be set to that.
bool set_protection(const SealedImage& image, int protection) {
  return std::all_of(image.pages.begin(), image.pages.end(), [&](const ByteRange& range) {
    return mprotect(image.base + range.begin, range.end - range.begin, protection) == 0;
  });
}

void unseal(SealedImage& image) {
  if (!image.sealed.exchange(false)) return;
  // From the first to the last, so that mappings become one again and none has to be split.
  const uint64_t begin = image.pages.front().begin;
  mprotect(image.base + begin, image.pages.back().end - begin, PROT_READ | PROT_WRITE);
}

// False, with errno, if the system refuses; the image is unsealed then.
bool protect(SealedImage& image) {
  if (set_protection(image, PROT_READ)) return true;
  const int error = errno;
  unseal(image);
  errno = error;
  return false;
}

// The last moment before an interpreter forgets its interned strings.
void unseal_at_end(void* image) {
  const std::lock_guard guard(sealing);
  auto& sealed = *static_cast<SealedImage*>(image);
  sealed.has_end = false;
  unseal(sealed);
}

bool arrange_end(void (*end)(void*), void* argument) {
  if (PyUnstable_AtExit(PyInterpreterState_Get(), end, argument) == 0) return true;
  PyErr_Clear();
  PyErr_NoMemory();
  return false;
}

bool is_main() { return PyInterpreterState_Get() == PyInterpreterState_Main(); }

class Pages {
 public:
  explicit Pages(const View& view) : protect_(view.header().file_bytes / kPageBytes + 1) {
    for (const DirectoryEntry& entry : view.directory()) {
      if (entry.kind < kFirstSegmentKind || entry.bytes == 0) continue;
      set({entry.offset, entry.offset + entry.bytes}, true);
    }
  }

  void leave_out(const ByteRange& range) { set(range, false); }

  std::vector<ByteRange> ranges() const {
    std::vector<ByteRange> all;
    for (uint64_t page = 0; page < protect_.size(); ++page) {
      if (!protect_[page]) continue;
      const uint64_t offset = page * kPageBytes;
      if (all.empty() || all.back().end != offset) all.push_back({offset, offset});
      all.back().end += kPageBytes;
    }
    return all;
  }

 private:
  void set(const ByteRange& range, bool protect) {
    const uint64_t last = std::min<uint64_t>((range.end - 1) / kPageBytes, protect_.size() - 1);
    for (uint64_t page = range.begin / kPageBytes; page <= last; ++page) protect_[page] = protect;
  }

  std::vector<bool> protect_;
};

}  // namespace

bool find_protectable(const Image& image, std::span<const ByteRange> open,
                      std::vector<ByteRange>& pages, Problem& problem) {
  const View& view = image.view();
  Pages all(view);
  for (const ByteRange& range : open) all.leave_out(range);
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    const bool good =
        for_each_object(view, group, problem, [&](uint64_t offset, const abi::Shape& shape) {
          if (!abi::is_written_in_use(shape)) return true;
          const uint64_t limit = view.header().file_bytes - offset;
          const size_t bytes = shape.bytes(image.object(offset), limit);
          all.leave_out({offset - shape.prefix_bytes, offset + std::max<size_t>(bytes, 1)});
          return true;
        });
    if (!good) return false;
  }
  pages = all.ranges();
  return true;
}

bool seal(Image& image, Problem& problem) {
  if (!image.prepare_all(problem)) return false;
  hold_over_forks();
  const std::lock_guard guard(sealing);
  if (is_sealed(image)) return true;
  std::vector<ByteRange> open;
  std::vector<ByteRange> pages;
  if (!fill(image, open, problem) || !find_protectable(image, open, pages, problem)) return false;
  SealedImage& sealed = find_or_add(image);
  const bool ends_here = is_main() || !image.is_for_all_interpreters();
  if (ends_here && !sealed.has_end) {
    sealed.has_end = arrange_end(unseal_at_end, &sealed);
    if (!sealed.has_end) return problem.refuse_with_python_error("image");
  }
  sealed.pages = std::move(pages);
  if (sealed.pages.empty()) return problem.refuse("image", "has no page that can be sealed");
  sealed.sealed.store(true, std::memory_order_release);
  if (protect(sealed)) return true;
  return problem.refuse("image", std::string("cannot be sealed: ") + std::strerror(errno));
}

void unseal(const Image& image) {
  const std::lock_guard guard(sealing);
  if (SealedImage* sealed = find(image)) unseal(*sealed);
}

bool is_sealed(const Image& image) {
  const SealedImage* sealed = find(image);
  return sealed != nullptr && sealed->sealed.load(std::memory_order_relaxed);
}

bool protect_again(const Image& image) {
  const std::lock_guard guard(sealing);
  SealedImage* sealed = find(image);
  return sealed == nullptr || !sealed->sealed.load(std::memory_order_relaxed) || protect(*sealed);
}

bool unseal_all_at_end() {
  return arrange_end(
      [](void*) {
        const std::lock_guard guard(sealing);
        for (SealedImage* one = newest.load(std::memory_order_acquire); one != nullptr;
             one = one->next) {
          unseal(*one);
        }
      },
      nullptr);
}

std::span<const ByteRange> sealed_pages(const Image& image) {
  const SealedImage* sealed = find(image);
  return sealed != nullptr ? std::span<const ByteRange>(sealed->pages)
                           : std::span<const ByteRange>();
}

const SealedImage* newest_sealed_image() { return newest.load(std::memory_order_acquire); }

}  // namespace tenure::image
