#include "tenure/immortal/image/checksum.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenure::image {
namespace {

// The bytes that xxHash's own sanity check hashes.
std::vector<std::byte> sanity_buffer(size_t bytes) {
  std::vector<std::byte> buffer(bytes);
  uint64_t state = 2654435761U;
  for (std::byte& one : buffer) {
    one = static_cast<std::byte>(state >> 56);
    state *= 11400714785074694797ULL;
  }
  return buffer;
}

struct Vector {
  size_t bytes;
  uint64_t hash;
};

// XXH3_64bits with seed 0, from that check: one for each way the algorithm takes.
constexpr std::array kVectors = {Vector{0, 0x2D06800538D394C2},    Vector{1, 0xC44BDFF4074EECDB},
                                 Vector{6, 0x27B56A84CD2D7325},    Vector{12, 0xA713DAF0DFBB77E7},
                                 Vector{24, 0xA3FE70BF9D3510EB},   Vector{48, 0x397DA259ECBA1F11},
                                 Vector{80, 0xBCDEFBBB2C47C90A},   Vector{195, 0xCD94217EE362EC3A},
                                 Vector{403, 0xCDEB804D65C6DEA4},  Vector{512, 0x617E49599013CB6B},
                                 Vector{2048, 0xDD59E2C3A5F038E0}, Vector{2240, 0x6E73A90539CF2948},
                                 Vector{2367, 0xCB37AEB9E5D361ED}};

TEST(Checksum, IsXxh3) {
  const auto buffer = sanity_buffer(4096);
  for (const Vector& one : kVectors) {
    EXPECT_EQ(checksum(std::span(buffer).first(one.bytes)), one.hash) << one.bytes;
  }
}

// The library here is compiled for every processor; checksum() takes the wide way where it can.
TEST(Checksum, IsTheSameNumberWideAndNarrow) {
  const auto buffer = sanity_buffer(100'000);
  for (size_t bytes = 0; bytes < 3000; ++bytes) {
    ASSERT_EQ(checksum(std::span(buffer).first(bytes)), XXH3_64bits(buffer.data(), bytes)) << bytes;
  }
  for (size_t bytes : {4096u, 65'535u, 65'536u, 99'999u}) {
    EXPECT_EQ(checksum(std::span(buffer).first(bytes)), XXH3_64bits(buffer.data(), bytes)) << bytes;
  }
}

TEST(Checksum, DoesNotDependOnAlignment) {
  const auto buffer = sanity_buffer(5000);
  std::vector<std::byte> moved(5000 + 64);
  for (size_t shift = 0; shift < 64; ++shift) {
    std::memcpy(moved.data() + shift, buffer.data(), buffer.size());
    ASSERT_EQ(checksum(std::span(moved).subspan(shift, buffer.size())), checksum(buffer)) << shift;
  }
}

TEST(Checksum, ChangesWithEveryBit) {
  auto buffer = sanity_buffer(600);
  const uint64_t before = checksum(buffer);
  for (size_t bit = 0; bit < buffer.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1 << (bit % 8));
    buffer[bit / 8] ^= mask;
    ASSERT_NE(checksum(buffer), before) << bit;
    buffer[bit / 8] ^= mask;
  }
  EXPECT_EQ(checksum(buffer), before);
}

TEST(Checksum, ChangesWithTheLength) {
  const std::vector<std::byte> zeros(300);
  for (size_t bytes = 1; bytes < zeros.size(); ++bytes) {
    ASSERT_NE(checksum(std::span(zeros).first(bytes)), checksum(std::span(zeros).first(bytes - 1)));
  }
}

}  // namespace
}  // namespace tenure::image
