#include "tenure/handles/bool.h"

#include <type_traits>

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

static_assert(std::is_convertible_v<Borrowed<Bool>, Borrowed<Int>>, "a bool is an int");

TEST(Bool, IsOneOfTwo) {
  EXPECT_EQ(Bool::of(true).get(), Py_True);
  EXPECT_EQ(Bool::of(false).get(), Py_False);
  EXPECT_TRUE(Bool::of(true).value());
  EXPECT_FALSE(Bool::of(false).value());
  EXPECT_EQ(Bool::make(true).get(), Py_True);
}

TEST(Bool, IsAnIntToo) {
  EXPECT_TRUE(Int::check(Py_True));
  EXPECT_FALSE(Bool::check(value_of("1").get()));
  EXPECT_EQ(*Bool::of(true).to<int>(), 1);
}

}  // namespace
}  // namespace tenure
