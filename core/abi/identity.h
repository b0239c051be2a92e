// Which interpreter this is: what an image must agree with to be used, and to be used unchanged.
//
// Not for: asking for a feature. Ask the headers, through core/abi.
//
// Thread safety: the answer is computed once and constant from then on.
#ifndef TENURE_CORE_ABI_IDENTITY_H_
#define TENURE_CORE_ABI_IDENTITY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tenure::abi {

struct Identity {
  uint32_t python_version;  // of the running interpreter, as PY_VERSION_HEX
  uint32_t bytecode_magic;  // the number that its .pyc files start with
  bool free_threaded;
  bool debug;
  uint32_t optimization;  // 0, or 1 and 2 for -O and -OO
  uint64_t layout_fingerprint;

  // The binary (executable or shared library) that holds the interpreter's static objects.
  uint64_t load_bias;     // address it is mapped at, minus the address it was linked for
  uint64_t binary_begin;  // [begin, end): all of its segments
  uint64_t binary_end;
  std::array<uint8_t, 32> build_id;
  uint32_t build_id_bytes;  // 0: linked without one

  // Depends on the address of every well-known object: a cheap second opinion beside the build id.
  uint64_t witness;
};

// Requires: attached the first time. Where attached threads run in parallel, ask once before others
// do: whoever waits for the first answer keeps the collector from stopping the world.
const Identity& identity();

// "3.14.8".
std::string version_text(uint32_t python_version);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_IDENTITY_H_
