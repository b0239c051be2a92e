// The entry of libFuzzer: guided by coverage, for as long as one likes. Not built by `./dev test`:
//
//   ./dev bazel build --repo_env=CC=clang --repo_env=CXX=clang++ --platform_suffix=fuzz \
//       --copt=-O1 --copt=-fsanitize=fuzzer-no-link,address --linkopt=-fsanitize=address \
//       //tests/fuzz:image_fuzzer
//   ./dev run env ASAN_OPTIONS=detect_leaks=0 PATH/image_fuzzer -max_len=200000 -fork=1 FOLDER
//
// An input is the bytes of a file. Checksums are made right first, since no fuzzer guesses them,
// but for inputs whose last byte is odd. FOLDER, the corpus, gets a good image to begin with.
// Images that load stay mapped, and a process may only have so many mappings: with -fork=1, others
// are started in time.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tenure/tests/fuzz/image_body.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

using namespace tenure::testing;  // NOLINT(google-build-using-namespace)

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  start_python();
  const std::string folder = (*argv)[*argc - 1];
  if (std::filesystem::is_directory(folder)) {
    write_bytes(folder + "/sample.tenure", image_of(sample_sources()));
    const tenure::Strong roots = evaluate(sample_data());
    write_bytes(folder + "/data.tenure", data_image_of(roots.get()));
    write_bytes(folder + "/kept.tenure", data_image_of(roots.get(), keep_all()));
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  Editor editor(std::vector<std::byte>(bytes, bytes + size));
  if (size > 0 && (data[size - 1] & 1) == 0) editor.fix();
  tenure::fuzz::use_image(editor.file());
  return 0;
}
