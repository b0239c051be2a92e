#include "tenure/immortal/image/varint.h"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::image {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string encoded(uint64_t value) {
  std::string out;
  put_varint(out, value);
  return out;
}

// Every number at which the encoding gets longer, its neighbours, and both ends.
std::vector<uint64_t> boundaries() {
  std::vector<uint64_t> values = {0, 1, 2, kMax, kMax - 1};
  for (int bits = 7; bits < 64; bits += 7) {
    const uint64_t first = uint64_t{1} << bits;
    values.insert(values.end(), {first - 2, first - 1, first, first + 1});
  }
  return values;
}

TEST(Varint, ComesBackAtEveryBoundary) {
  for (uint64_t value : boundaries()) {
    const std::string text = encoded(value);
    StreamReader in(bytes_of(text));
    EXPECT_EQ(in.varint(), value);
    EXPECT_FALSE(in.failed()) << value;
    EXPECT_TRUE(in.at_end()) << value;
  }
}

TEST(Varint, TakesAsFewBytesAsItCan) {
  EXPECT_EQ(encoded(0), std::string(1, '\0'));
  EXPECT_EQ(encoded(127), "\x7f");
  EXPECT_EQ(encoded(128), std::string("\x80\x01", 2));
  EXPECT_EQ(encoded(300), "\xac\x02");
  EXPECT_EQ(encoded((uint64_t{1} << 63) - 1).size(), 9u);
  EXPECT_EQ(encoded(uint64_t{1} << 63).size(), 10u);
  EXPECT_EQ(encoded(kMax), std::string(9, '\xff') + "\x01");
}

TEST(Varint, OneAfterTheOther) {
  std::string text;
  for (uint64_t value : boundaries()) put_varint(text, value);
  StreamReader in(bytes_of(text));
  for (uint64_t value : boundaries()) EXPECT_EQ(in.varint(), value);
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
}

TEST(Varint, FailsWhereverItIsCutOff) {
  for (uint64_t value : boundaries()) {
    const std::string whole = encoded(value);
    for (size_t kept = 0; kept < whole.size(); ++kept) {
      const std::string cut = whole.substr(0, kept);
      StreamReader in(bytes_of(cut));
      EXPECT_EQ(in.varint(), 0u);
      EXPECT_TRUE(in.failed()) << value << " cut to " << kept;
    }
  }
}

TEST(Varint, FailsForMoreThan64Bits) {
  const std::string nine(9, '\xff');
  const std::string too_large[] = {nine + "\x02",
                                   nine + "\x03",
                                   nine + "\x7f",
                                   std::string(9, '\x80') + "\x02",
                                   nine + "\x81" + std::string(1, '\0'),
                                   std::string(10, '\xff'),
                                   std::string(20, '\x80')};
  for (const std::string& text : too_large) {
    StreamReader in(bytes_of(text));
    EXPECT_EQ(in.varint(), 0u);
    EXPECT_TRUE(in.failed()) << ::testing::PrintToString(text);
  }
  const std::string largest = nine + "\x01";
  StreamReader in(bytes_of(largest));
  EXPECT_EQ(in.varint(), kMax);
  EXPECT_FALSE(in.failed());
}

TEST(Zigzag, ComesBack) {
  for (int64_t value : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{63}, int64_t{-64}, int64_t{64},
                        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
  EXPECT_EQ(zigzag(0), 0u);
  EXPECT_EQ(zigzag(-1), 1u);
  EXPECT_EQ(zigzag(1), 2u);
  EXPECT_EQ(zigzag(std::numeric_limits<int64_t>::min()), kMax);
}

TEST(StreamReader, StaysFailed) {
  const std::string text("\x80", 1);
  StreamReader in(bytes_of(text));
  in.varint();
  ASSERT_TRUE(in.failed());
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_EQ(in.byte(), 0u);
  EXPECT_EQ(in.text(), "");
  EXPECT_TRUE(in.failed());
}

TEST(StreamReader, ReadsNothingFromNothing) {
  StreamReader in({});
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
  EXPECT_EQ(in.byte(), 0u);
  EXPECT_TRUE(in.failed());
}

TEST(StreamReader, ReadsBytes) {
  const std::string text("\x00\xff\x7f", 3);
  StreamReader in(bytes_of(text));
  EXPECT_EQ(in.byte(), 0x00);
  EXPECT_EQ(in.byte(), 0xff);
  EXPECT_EQ(in.byte(), 0x7f);
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
}

TEST(StreamReader, ReadsTextOfAnyLength) {
  for (size_t length : {0u, 1u, 127u, 128u, 5000u}) {
    std::string stream;
    put_varint(stream, length);
    stream += std::string(length, 'x') + "rest";
    StreamReader in(bytes_of(stream));
    EXPECT_EQ(in.text(), std::string(length, 'x'));
    EXPECT_EQ(in.byte(), 'r');
    EXPECT_FALSE(in.failed());
  }
}

TEST(StreamReader, RefusesTextThatEndsOutside) {
  for (uint64_t length : {uint64_t{4}, uint64_t{1000}, kMax}) {
    std::string stream;
    put_varint(stream, length);
    stream += "abc";
    StreamReader in(bytes_of(stream));
    EXPECT_EQ(in.text(), "");
    EXPECT_TRUE(in.failed()) << length;
  }
}

}  // namespace
}  // namespace tenure::image
