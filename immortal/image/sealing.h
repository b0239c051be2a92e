// Write-protects an image: the pages whose objects nobody has to write to any more. Whoever writes
// there all the same, an extension module that counts references of immortal objects, say, is
// stopped by SIGSEGV instead of making private copies of pages without anybody noticing.
//
// Sealing prepares every group and fills in what the interpreter would write later (filling.h).
// Code is never sealed, nor are pages that code shares with other objects.
//
// Sealed images are unsealed by themselves when the interpreter that sealed them ends, after its
// modules are gone, and all of them when the main interpreter does: it writes to its interned
// strings then. An image that all interpreters use has one seal for all of them, which the end of
// others than the main one leaves on. A forked child inherits the protection.
//
// Not for: finding out who writes (write_watch.h), or for an image that a thread with another GIL
// is using for the first time just then: it may have found a hash missing, and store it when the
// page is sealed already.
//
// Thread safety: every function needs a thread attached to an interpreter that uses the image,
// except where it says otherwise. One mutex guards seals; no Python code runs under it.
// Where there is no GIL, other threads may be about to write to an image that they use, so it is
// sealed before they see it or not at all.
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

// Seals the image unless it is. Requires: without a GIL, no other thread uses the image yet. False
// with the problem; it is not sealed then, but what was filled in and prepared stays so.
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
  std::vector<ByteRange> pages;     // guarded by the mutex; changes only while `sealed` is false
  std::atomic<bool> sealed{false};  // set after `pages`, with a release
  bool has_end = false;             // guarded by the mutex: unsealing at the end is arranged
  SealedImage* next = nullptr;
};

// Has everything unsealed when this interpreter ends. For the main one: what others have sealed may
// hold strings that it has interned. False without memory.
[[nodiscard]] bool unseal_all_at_end();

// The newest of them; null if there is none. Thread state: any, also in signal handlers.
const SealedImage* newest_sealed_image();

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_SEALING_H_
