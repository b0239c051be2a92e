#include "tenure/immortal/graph/type_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>

namespace tenure::graph {
namespace {

constexpr char kMagic[16] = "tenure types 1\n";
constexpr uint32_t kVersion = 1;

constexpr int kAddresses = 4;
constexpr uintptr_t kStep = uintptr_t{1} << 32;

// How long a page of zeros may become one of ours.
constexpr int kLooks = 50;
constexpr timespec kBetweenLooks = {0, 1'000'000};

enum class Found { kOurs, kZeros, kForeign };

// Copies memory that may not be readable, or not be there.
bool copy_of(const void* from, void* to, size_t bytes) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  const auto whole = static_cast<ssize_t>(bytes);
  const bool copied = write(ends[1], from, bytes) == whole && read(ends[0], to, bytes) == whole;
  close(ends[0]);
  close(ends[1]);
  return copied;
}

Found look_at(const void* page) {
  alignas(PageHead) unsigned char copy[sizeof(PageHead)];
  if (!copy_of(page, copy, sizeof copy)) return Found::kForeign;
  if (std::all_of(copy, copy + sizeof copy, [](unsigned char byte) { return byte == 0; })) {
    return Found::kZeros;
  }
  PageHead expected{};
  std::memcpy(expected.magic, kMagic, sizeof kMagic);
  expected.version = kVersion;
  expected.bytes = sizeof(TypePage);
  return std::memcmp(copy, &expected, offsetof(PageHead, state)) == 0 ? Found::kOurs
                                                                      : Found::kForeign;
}

bool is_built(const TypePage& page) {
  return page.head.state.load(std::memory_order_acquire) == TypePage::kBuilt;
}

TypePage* adopt(void* address) {
  for (int look = 0; look < kLooks; ++look) {
    const Found found = look_at(address);
    if (found == Found::kForeign) return nullptr;
    auto* page = static_cast<TypePage*>(address);
    if (found == Found::kOurs && is_built(*page)) return page;
    nanosleep(&kBetweenLooks, nullptr);
  }
  return nullptr;
}

// Requires: zeroed memory.
TypePage* build_page(void* memory, void (*build)(PyTypeObject*)) {
  auto* page = new (memory) TypePage;
  build(&page->type);
  std::memcpy(page->head.magic, kMagic, sizeof kMagic);
  page->head.version = kVersion;
  page->head.bytes = sizeof(TypePage);
  page->head.state.store(TypePage::kBuilt, std::memory_order_release);
  return page;
}

TypePage* find_page(void (*build)(PyTypeObject*)) {
  for (int i = 0; i < kAddresses; ++i) {
    if (TypePage* page = claim_or_adopt(abi::kFrozenDictTypePage + i * kStep, build)) return page;
  }
  alignas(TypePage) static std::byte own[sizeof(TypePage)];
  return build_page(own, build);
}

}  // namespace

TypePage* claim_or_adopt(uintptr_t address, void (*build)(PyTypeObject*)) {
  void* wanted = reinterpret_cast<void*>(address);
  void* got = mmap(wanted, sizeof(TypePage), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == wanted) return build_page(got, build);
  if (got != MAP_FAILED) {
    // A system that does not know the flag takes the address for a wish.
    munmap(got, sizeof(TypePage));
    return nullptr;
  }
  return errno == EEXIST ? adopt(wanted) : nullptr;
}

TypePage* type_page(void (*build)(PyTypeObject*)) {
  static TypePage* const page = find_page(build);
  return page;
}

}  // namespace tenure::graph
