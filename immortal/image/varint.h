// Numbers in streams: seven bits a byte, low bits first, the high bit set on all but the last.
#ifndef TENURE_IMMORTAL_IMAGE_VARINT_H_
#define TENURE_IMMORTAL_IMAGE_VARINT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tenure::image {

inline void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

inline int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Reads a stream that may be damaged: past the end, or in a number of more than 64 bits, every
// read answers zero and failed() stays true.
class StreamReader {
 public:
  explicit StreamReader(std::span<const std::byte> bytes)
      : at_(reinterpret_cast<const uint8_t*>(bytes.data())), end_(at_ + bytes.size()) {}

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      const uint8_t byte = *at_++;
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }

  uint8_t byte() { return at_ == end_ ? static_cast<uint8_t>(fail()) : *at_++; }

  std::string_view text() {
    const uint64_t bytes = varint();
    if (failed_ || bytes > static_cast<uint64_t>(end_ - at_)) {
      fail();
      return {};
    }
    std::string_view text(reinterpret_cast<const char*>(at_), bytes);
    at_ += bytes;
    return text;
  }

  bool at_end() const { return at_ == end_; }
  bool failed() const { return failed_; }

 private:
  uint64_t fail() {
    failed_ = true;
    at_ = end_;
    return 0;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool failed_ = false;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_VARINT_H_
