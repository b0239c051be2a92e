// Write-protects an image: the pages whose objects nobody has to write to any more. Whoever writes
// there all the same, an extension module that counts references of immortal objects, say, is
// stopped by SIGSEGV instead of making private copies of pages without anybody noticing.
//
// Sealing prepares every group and fills in what the interpreter would write later (filling.h).
// Code is never sealed, nor are pages that code shares with other objects.
//
// Sealed images are unsealed by themselves when their interpreter ends, after its modules are gone:
// it writes to its interned strings then. A forked child inherits the protection.
//
// Not for: finding out who writes (write_watch.h).
//
// Thread safety: every function needs a thread attached to the interpreter that loaded the image,
// which guards its seal, except where it says otherwise.
#ifndef TENURE_IMMORTAL_IMAGE_SEALING_H_
#define TENURE_IMMORTAL_IMAGE_SEALING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenure/immortal/image/filling.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/view.h"

namespace tenure::image {

// Seals the image unless it is. False with the problem; it is not sealed then, but what was filled
// in and prepared stays so.
[[nodiscard]] bool seal(Image& image, Problem& problem);

// Makes the image writable again, if it is sealed.
void unseal(const Image& image);

bool is_sealed(const Image& image);

// The pages that can be protected, as ranges of the file: those of the segments, without the ones
// that have to do with objects which are written in use or lie in `open`. False with the problem.
[[nodiscard]] bool find_protectable(const Image& image, std::span<const ByteRange> open,
                                    std::vector<ByteRange>& pages, Problem& problem);

// Protects the pages of a sealed image again, after somebody else has made them writable. False if
// the system refuses; the image is unsealed then.
bool protect_again(const Image& image);

// The pages that are protected while the image is sealed; empty if it never was.
std::span<const ByteRange> sealed_pages(const Image& image);

// An image that was sealed once, for signal handlers. Never freed.
struct SealedImage {
  std::byte* base;
  View view;
  std::string path;
  std::vector<ByteRange> pages;     // changes only while `sealed` is false
  std::atomic<bool> sealed{false};  // set after `pages`, with a release
  bool has_end = false;             // guarded by the interpreter: unsealing at its end is arranged
  SealedImage* next = nullptr;
};

// The newest of them; null if there is none. Thread state: any, also in signal handlers.
const SealedImage* newest_sealed_image();

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_SEALING_H_
