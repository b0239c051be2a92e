// Telling AddressSanitizer which memory nobody may touch: what a pool or an arena has, and has not
// handed out. Nothing in other builds.
//
// Not for: anything outside pool/.
//
// Thread safety: as of the memory.
#ifndef TENURE_POOL_POISON_H_
#define TENURE_POOL_POISON_H_

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace tenure::pool::internal {

// Use of poisoned memory is an error.
inline void poison(const void* begin, size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(begin, size);
#else
  (void)begin;
  (void)size;
#endif
}
inline void unpoison(const void* begin, size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(begin, size);
#else
  (void)begin;
  (void)size;
#endif
}

// Bytes between two blocks that nobody may touch.
#ifdef __SANITIZE_ADDRESS__
inline constexpr size_t kRedZone = 16;
#else
inline constexpr size_t kRedZone = 0;
#endif

}  // namespace tenure::pool::internal

#endif  // TENURE_POOL_POISON_H_
