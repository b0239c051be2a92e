// Where in a process that lies which is mapped at a place chosen beforehand: images, and the type
// of FrozenDict, which images point to.
//
// Between what position-dependent executables, AddressSanitizer's shadow and heaps use below, and
// where position-independent executables, libraries and stacks live above. To ThreadSanitizer none
// of that is memory of the program's: what is built for it looks further down, where it leaves two
// tebibytes to position-dependent executables. An image that was written by the one kind of build
// is relocated by the other.
//
// Not for: finding out what is there. Any place may be taken.
#ifndef TENURE_CORE_ABI_PLACES_H_
#define TENURE_CORE_ABI_PLACES_H_

#include <cstdint>

namespace tenure::abi {

#ifdef __SANITIZE_THREAD__
inline constexpr uintptr_t kFrozenDictTypePage = 0x00f0'0000'0000;
inline constexpr uintptr_t kImagesBegin = 0x0110'0000'0000;
inline constexpr uintptr_t kImagesEnd = 0x0200'0000'0000;
#else
inline constexpr uintptr_t kFrozenDictTypePage = 0x10f0'0000'0000;
inline constexpr uintptr_t kImagesBegin = 0x1100'0000'0000;
inline constexpr uintptr_t kImagesEnd = 0x5000'0000'0000;
#endif

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_PLACES_H_
