#include "tenure/handles/int.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

static_assert(Integer<int8_t> && Integer<unsigned char> && Integer<uint64_t> &&
              Integer<Py_ssize_t>);
static_assert(!Integer<bool> && !Integer<char> && !Integer<char16_t> && !Integer<double>);

template <typename I>
class IntOf : public ::testing::Test {};

using Widths = ::testing::Types<int8_t, int16_t, int32_t, int64_t, long, long long, uint8_t,
                                uint16_t, uint32_t, uint64_t, unsigned long, unsigned long long>;
TYPED_TEST_SUITE(IntOf, Widths);

TYPED_TEST(IntOf, GoesThereAndBackAtItsEnds) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam value : {Limits::min(), TypeParam{0}, TypeParam{1}, Limits::max()}) {
    Result<Int> made = Int::make(value);
    ASSERT_TRUE(made);
    EXPECT_EQ(testing::repr(*made), std::to_string(value));
    const Result<TypeParam> back = (*made).template to<TypeParam>();
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, value);
  }
}

TYPED_TEST(IntOf, RefusesWhatIsBeyondItsEnds) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const std::string& beyond :
       {std::to_string(Limits::max()) + " + 1", std::to_string(Limits::min()) + " - 1",
        std::string("10 ** 30"), std::string("-10 ** 30")}) {
    EXPECT_FALSE(value_of<Int>(beyond).template to<TypeParam>()) << beyond;
    EXPECT_EQ(testing::take_error(), "OverflowError") << beyond;
  }
}

std::string refusal(const char* number, auto width) {
  EXPECT_FALSE(value_of<Int>(number).template to<decltype(width)>());
  return take_message();
}

TEST(Int, NamesTheRange) {
  EXPECT_EQ(refusal("300", uint8_t{}),
            "OverflowError: 300 is out of range for an 8-bit unsigned integer (0 to 255)");
  EXPECT_EQ(refusal("-129", int8_t{}),
            "OverflowError: -129 is out of range for an 8-bit signed integer (-128 to 127)");
  EXPECT_EQ(refusal("-1", uint64_t{}),
            "OverflowError: -1 is out of range for a 64-bit unsigned integer "
            "(0 to 18446744073709551615)");
  EXPECT_EQ(refusal("2**63", int64_t{}),
            "OverflowError: 9223372036854775808 is out of range for a 64-bit signed integer "
            "(-9223372036854775808 to 9223372036854775807)");
}

TEST(Int, DoesNotPrintHugeNumbers) {
  EXPECT_EQ(refusal("1 << 8_000_000", int16_t{}),
            "OverflowError: an int of 1000001 bytes is out of range for a 16-bit signed integer "
            "(-32768 to 32767)");
}

TEST(Int, AsksNothingOfSubclasses) {
  const char* source =
      "class Liar(int):\n"
      "  def __index__(self): return 5\n"
      "  def __int__(self): return 6\n"
      "  def __repr__(self): raise ValueError\n"
      "liar = Liar(1000)\n";
  const Owned<Int> liar = testing::defined_in<Int>(source, "liar");
  EXPECT_EQ(*liar.to<int>(), 1000);
  EXPECT_FALSE(liar.to<int8_t>());
  EXPECT_EQ(take_message(),
            "OverflowError: 1000 is out of range for an 8-bit signed integer (-128 to 127)");
}

TEST(Int, IndexTakesWhatCountsAsAnInt) {
  EXPECT_EQ(*Int::index<int>(value_of("7")), 7);
  EXPECT_EQ(*Int::index<int>(value_of("True")), 1);
  EXPECT_EQ(*Int::index<uint8_t>(value_of("type('', (), {'__index__': lambda self: 200})()")), 200);
  EXPECT_FALSE(Int::index<uint8_t>(value_of("type('', (), {'__index__': lambda self: 300})()")));
  EXPECT_EQ(testing::take_error(), "OverflowError");
}

TEST(Int, IndexRefusesTheRestAsPythonDoes) {
  EXPECT_FALSE(Int::index<int>(value_of("1.0")));
  EXPECT_EQ(take_message(), "TypeError: 'float' object cannot be interpreted as an integer");
  EXPECT_FALSE(Int::index<int>(value_of("'1'")));
  EXPECT_EQ(take_message(), "TypeError: 'str' object cannot be interpreted as an integer");
  EXPECT_FALSE(Int::index(value_of("type('', (), {'__index__': lambda self: 1 / 0})()")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Int, ConvertsAsIntDoes) {
  EXPECT_EQ(*Int::convert(value_of("2.9")).take().to<int>(), 2);
  EXPECT_EQ(*Int::convert(value_of("' 12 '")).take().to<int>(), 12);
  EXPECT_FALSE(Int::convert(value_of("'twelve'")));
  EXPECT_EQ(testing::take_error(), "ValueError");
}

TEST(Int, BecomesBytesAndComesBack) {
  for (const char* text : {"0", "1", "127", "128", "255", "256", "2**64", "3**200"}) {
    const Owned<Int> number = value_of<Int>(text);
    for (const auto sign : {Signedness::kSigned, Signedness::kUnsigned}) {
      for (const auto order : {std::endian::little, std::endian::big}) {
        std::array<std::byte, 64> bytes;
        ASSERT_TRUE(number.to_bytes(bytes, order, sign)) << text;
        const Result<Int> back = Int::from_bytes(bytes, order, sign);
        EXPECT_TRUE(testing::equal(number.get(), back.get())) << text;
      }
    }
  }
}

TEST(Int, WritesTheBytesInTheOrderAskedFor) {
  const Owned<Int> number = value_of<Int>("-2");
  std::array<std::byte, 3> bytes;
  ASSERT_TRUE(number.to_bytes(bytes, std::endian::big, Signedness::kSigned));
  EXPECT_EQ(bytes, (std::array{std::byte{255}, std::byte{255}, std::byte{254}}));
  ASSERT_TRUE(number.to_bytes(bytes, std::endian::little, Signedness::kSigned));
  EXPECT_EQ(bytes, (std::array{std::byte{254}, std::byte{255}, std::byte{255}}));
}

TEST(Int, RefusesTooFewBytes) {
  std::array<std::byte, 1> bytes;
  EXPECT_TRUE(value_of<Int>("255").to_bytes(bytes, std::endian::big, Signedness::kUnsigned));
  EXPECT_FALSE(value_of<Int>("255").to_bytes(bytes, std::endian::big, Signedness::kSigned));
  EXPECT_EQ(take_message(), "OverflowError: int too big to convert to 1 bytes");
  EXPECT_FALSE(value_of<Int>("-1").to_bytes(bytes, std::endian::big, Signedness::kUnsigned));
  EXPECT_EQ(take_message(), "OverflowError: can't convert negative int to unsigned");
  EXPECT_FALSE(value_of<Int>("0").to_bytes({}, std::endian::big, Signedness::kUnsigned));
  EXPECT_EQ(testing::take_error(), "OverflowError");
}

TEST(Int, KnowsHowManyBytesAreEnough) {
  for (const char* text : {"0", "255", "-128", "2**64 - 1", "-2**127", "1 << 8000"}) {
    const Owned<Int> number = value_of<Int>(text);
    std::vector<std::byte> bytes(number.enough_bytes());
    EXPECT_LT(bytes.size(), 1010U);
    EXPECT_TRUE(number.to_bytes(bytes, std::endian::big, Signedness::kSigned)) << text;
  }
}

TEST(Int, MakesZeroOfNoBytes) {
  EXPECT_EQ(*Int::from_bytes({}, std::endian::big, Signedness::kSigned).take().to<int>(), 0);
}

TEST(Int, LeaksNothing) {
  testing::expect_no_leak([] {
    const Result<Int> number = Int::make(1234567890123);
    EXPECT_FALSE((*number).to<int32_t>());
    PyErr_Clear();
    EXPECT_TRUE(Int::index<int64_t>(*number));
    EXPECT_FALSE(Int::index<int>(value_of("1.5")));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
