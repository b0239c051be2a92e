// What a fuzzer does with the bytes of an image: everything that does not run its code.
#ifndef TENURE_TESTS_FUZZ_IMAGE_BODY_H_
#define TENURE_TESTS_FUZZ_IMAGE_BODY_H_

#include <cstddef>
#include <span>
#include <string>

namespace tenure::fuzz {

// Loads, prepares and verifies. Answers why that was refused, "" if it was not. Leaves no Python
// error pending. Ends the program if a refusal says nothing. Requires: attached.
std::string use_image(std::span<const std::byte> file);

}  // namespace tenure::fuzz

#endif  // TENURE_TESTS_FUZZ_IMAGE_BODY_H_
