// Images of data that all interpreters of a process use.
//
// An image without code, and without objects that actions made in one interpreter's memory, holds
// nothing that belongs to an interpreter: its objects are immortal, what they refer to is the
// interpreters' common property, and what is written to them later is the same for all, because the
// hash secret is. So one mapping serves the process.
//
// The images are a list that only grows, linked from its newest. An entry is complete before it is
// published: share() stores it with release, which pairs with the acquire of whoever reads the
// head. No lock, so that a fork finds none taken.
//
// Not for: images of modules, which every interpreter maps for itself.
//
// Thread safety: any thread.
#ifndef TENURE_IMMORTAL_IMAGE_SHARED_IMAGES_H_
#define TENURE_IMMORTAL_IMAGE_SHARED_IMAGES_H_

#include <memory>

#include "tenure/immortal/image/image.h"

namespace tenure::image {

// The image of that very file that was shared before; null if there is none.
std::shared_ptr<Image> find_shared(const FileId& file);

// Shares an image with all interpreters if that is possible. Answers it, or one of the same file
// that another thread has shared in the meantime.
std::shared_ptr<Image> share(std::unique_ptr<Image> image);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_SHARED_IMAGES_H_
