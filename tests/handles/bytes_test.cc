#include "tenure/handles/bytes.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

TEST(Bytes, GoesThereAndBack) {
  const std::string_view content("a\0b", 3);
  const Owned<Bytes> made = Bytes::make(content).take();
  EXPECT_EQ(made.view(), content);
  EXPECT_EQ(made.size(), 3);
  EXPECT_EQ(made.span()[2], std::byte{'b'});
  const std::array some = {std::byte{255}, std::byte{0}};
  EXPECT_EQ(testing::repr(Bytes::make(some).take()), "b'\\xff\\x00'");
  EXPECT_TRUE(Bytes::make("").take().empty());
}

TEST(Bytes, IsFilledInPlace) {
  const Owned<Bytes> made = Bytes::make_with(3, [](std::span<std::byte> out) {
                              std::ranges::fill(out, std::byte{'x'});
                            }).take();
  EXPECT_EQ(made.view(), "xxx");
  EXPECT_TRUE(Bytes::make_with(0, [](std::span<std::byte>) { FAIL(); }).take().empty());
  // Of one byte there is an object for each value, which is not to be written to.
  const Owned<Bytes> one =
      Bytes::make_with(1, [](std::span<std::byte> out) { out[0] = std::byte{'y'}; }).take();
  EXPECT_EQ(one.view(), "y");
  EXPECT_EQ(testing::repr(value_of("bytes([121])")), "b'y'");
}

TEST(Bytes, FailsWithoutMemory) {
  bool there;
  {
    const testing::FailingMemory none(0);
    there = static_cast<bool>(Bytes::make_with(1000, [](std::span<std::byte>) { FAIL(); }));
  }
  EXPECT_FALSE(there);
  EXPECT_EQ(testing::take_error(), "MemoryError");
}

TEST(ByteArray, IsWrittenTo) {
  const Owned<ByteArray> made = ByteArray::make("abc").take();
  made.span()[1] = std::byte{'x'};
  EXPECT_EQ(testing::repr(made), "bytearray(b'axc')");
  ASSERT_TRUE(made.resize(1));
  EXPECT_EQ(testing::repr(made), "bytearray(b'a')");
  ASSERT_TRUE(made.resize(0));
  EXPECT_TRUE(made.empty() && made.span().empty());
}

TEST(ByteArray, IsNotResizedWhileSomebodyLooksAtIt) {
  const Owned<ByteArray> made = ByteArray::make("abc").take();
  const Strong view = PyMemoryView_FromObject(made.get());
  EXPECT_FALSE(made.resize(100));
  EXPECT_EQ(testing::take_error(), "BufferError");
}

TEST(Bytes, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_TRUE(Bytes::make("a longer one"));
    EXPECT_TRUE(Bytes::make_with(100, [](std::span<std::byte> out) { out[0] = {}; }));
    EXPECT_TRUE(ByteArray::make("abc").take().resize(50));
  });
}

}  // namespace
}  // namespace tenure
