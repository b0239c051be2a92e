#include "tenure/handles/set.h"

#include <gtest/gtest.h>

#include "tenure/handles/int.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

TEST(Set, Changes) {
  const Owned<Set> set = Set::make().take();
  const Owned<> one = value_of("1");
  EXPECT_TRUE(set.empty());
  ASSERT_TRUE(set.add(one));
  ASSERT_TRUE(set.add(one));
  EXPECT_EQ(set.size(), 1);
  EXPECT_TRUE(*set.contains(one));
  EXPECT_TRUE(*set.discard(one));
  EXPECT_FALSE(*set.discard(one));
  ASSERT_TRUE(set.update(value_of("range(3)")));
  EXPECT_EQ(testing::repr(set), "{0, 1, 2}");
  EXPECT_EQ(testing::repr(set.pop().take()), "0");
  ASSERT_TRUE(set.update(set)) << "with itself";
  ASSERT_TRUE(set.clear());
  EXPECT_FALSE(set.pop());
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST(Set, PassesErrorsOn) {
  const Owned<Set> set = Set::from(value_of("'ab'")).take();
  const Owned<> list = value_of("[]");
  EXPECT_FALSE(set.add(list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(set.contains(list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(set.discard(list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(set.update(value_of("1")));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(set.update(value_of("[1, []]")));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(Set::from(value_of("1")));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Set, CombinesWithOthers) {
  const Owned<Set> a = value_of<Set>("{1, 2}");
  const Owned<FrozenSet> b = value_of<FrozenSet>("frozenset({2, 3})");
  EXPECT_EQ(testing::repr(a.unite(b).take()), "{1, 2, 3}");
  EXPECT_EQ(testing::repr(a.intersect(b).take()), "{2}");
  EXPECT_EQ(testing::repr(b.subtract(a).take()), "frozenset({3})");
  EXPECT_EQ(testing::repr(a.differ(b).take()), "{1, 3}");
}

TEST(Set, SaysThatItChangedUnderALoop) {
  const Owned<Set> set = value_of<Set>("{1, 2}");
  int steps = 0;
  for (Result<> step : set.each()) {
    ++steps;
    if (!step) {
      EXPECT_EQ(take_message(), "RuntimeError: Set changed size during iteration");
      continue;
    }
    ASSERT_TRUE(set.add(value_of("'new'")));
  }
  EXPECT_EQ(steps, 2);
}

TEST(FrozenSet, IsMadeOfIterables) {
  EXPECT_EQ(testing::repr(FrozenSet::from(value_of("[1, 1]")).take()), "frozenset({1})");
  EXPECT_TRUE(FrozenSet::make().take().empty());
  EXPECT_TRUE(AnySet::check(FrozenSet::make().take().get()));
  EXPECT_FALSE(Set::check(FrozenSet::make().take().get()));
}

TEST(Set, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<Set> set = Set::from(value_of("[1000, 2000]")).take();
    EXPECT_TRUE(set.unite(set));
    EXPECT_TRUE(set.update(value_of("[3000]")));
    EXPECT_TRUE(set.pop());
    EXPECT_FALSE(set.update(value_of("[[]]")));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
