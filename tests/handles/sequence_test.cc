#include "tenure/handles/sequence.h"

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

TEST(Sequence, IsAnyObjectWithItems) {
  const Owned<Sequence> range = value_of<Sequence>("range(10, 13)");
  EXPECT_EQ(*range.len(), 3);
  EXPECT_EQ(testing::repr(range.at(0).take()), "10");
  EXPECT_EQ(testing::repr(range.at(-1).take()), "12");
  EXPECT_FALSE(range.at(3));
  EXPECT_EQ(testing::take_error(), "IndexError");
  EXPECT_EQ(testing::repr(range.slice(1, 3).take()), "range(11, 13)");
  EXPECT_EQ(testing::repr(range.to_list().take()), "[10, 11, 12]");
  EXPECT_EQ(testing::repr(range.to_tuple().take()), "(10, 11, 12)");
}

TEST(Sequence, Changes) {
  const Owned<Sequence> list = value_of<Sequence>("[1, 2, 3]");
  ASSERT_TRUE(list.set(-1, value_of("9")));
  ASSERT_TRUE(list.del(0));
  EXPECT_EQ(testing::repr(list), "[2, 9]");
  EXPECT_EQ(testing::repr(list.concat(value_of("[1]")).take()), "[2, 9, 1]");
  EXPECT_EQ(testing::repr(list.repeat(2).take()), "[2, 9, 2, 9]");
}

TEST(Sequence, SearchesForWhatIsEqual) {
  const Owned<Sequence> tuple = value_of<Sequence>("(1, 2, 2.0)");
  EXPECT_EQ(*tuple.index(value_of("2")), 1);
  EXPECT_EQ(*tuple.count(value_of("2")), 2);
  EXPECT_FALSE(tuple.index(value_of("3")));
  EXPECT_EQ(testing::take_error(), "ValueError");
  EXPECT_FALSE(tuple.count(value_of("type('', (), {'__eq__': lambda self, other: 1 / 0})()")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Sequence, IsNoDict) { EXPECT_FALSE(Sequence::check(value_of("{}").get())); }

}  // namespace
}  // namespace tenure
