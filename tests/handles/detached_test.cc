#include "tenure/handles/detached.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

int add(int a, int b) { return is_attached() ? -1 : a + b; }

TEST(Detached, RunsDetachedAndComesBack) {
  EXPECT_EQ(detached(&add, 1, 2), 3);
  EXPECT_TRUE(is_attached());
  EXPECT_EQ(detached([](const std::string& text) { return text.size(); }, std::string("abc")), 3U);
  detached([] { EXPECT_FALSE(is_attached()); });
}

TEST(Detached, GivesReferencesAndTakesAnswersAlong) {
  int count = 0;
  int& same = detached(
      [](int& value) -> int& {
        ++value;
        return value;
      },
      count);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(&same, &count);
}

TEST(Detached, IsAttachedAgainWhenItThrows) {
  EXPECT_THROW(detached([] { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_TRUE(is_attached());
}

}  // namespace
}  // namespace tenure
