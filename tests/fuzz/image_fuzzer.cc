// The entry of libFuzzer: guided by coverage, for as long as one likes. Not built by `./dev test`:
//
//   ./dev bazel build --config=asan --compiler=clang //tests/fuzz:image_fuzzer
//       (with CC=clang, --copt=-fsanitize=fuzzer-no-link)
//
// An input is the bytes of a file. Checksums are made right first, since no fuzzer guesses them,
// but for inputs whose last byte is odd. Images that load stay mapped, so give it -rss_limit_mb=0
// or -fork=1.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tenure/tests/fuzz/image_body.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tenure::testing::start_python();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  tenure::testing::Editor editor(std::vector<std::byte>(bytes, bytes + size));
  if (size > 0 && (data[size - 1] & 1) == 0) editor.fix();
  tenure::fuzz::use_image(editor.file());
  return 0;
}
