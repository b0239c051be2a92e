// Which code versions the images of an interpreter use.
//
// No two code objects of an interpreter may share a version: the specialising interpreter would
// take one for the other. An image comes with a range of its own, chosen by its content; when a
// range that is already taken meets another image, the newcomer moves.
//
// Thread safety: any thread; one mutex guards the table and nothing is called under it.
#ifndef TENURE_IMMORTAL_IMAGE_CODE_VERSIONS_H_
#define TENURE_IMMORTAL_IMAGE_CODE_VERSIONS_H_

#include <cstdint>
#include <optional>

namespace tenure::image {

// Takes [wanted, wanted + count) for the interpreter with that id or, if a part of it is taken,
// the first free range of the size. Answers its start; nothing if no range is left.
std::optional<uint32_t> take_code_versions(int64_t interpreter, uint32_t wanted, uint32_t count);

// Gives a range back: the image that took it could not be loaded.
void release_code_versions(int64_t interpreter, uint32_t first);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_CODE_VERSIONS_H_
