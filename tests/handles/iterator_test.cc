#include "tenure/handles/iterator.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/handles/list.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

// What the loop saw, and how it ended.
std::string walk(const Object& object) {
  std::string seen;
  for (Result<> step : object.each()) {
    seen += step ? testing::repr(*step) + " " : take_message();
  }
  EXPECT_FALSE(PyErr_Occurred());
  return seen;
}

TEST(Iterator, GoesOverWhateverCanBeIterated) {
  EXPECT_EQ(walk(value_of("[1, 2]")), "1 2 ");
  EXPECT_EQ(walk(value_of("(n * n for n in range(4))")), "0 1 4 9 ");
  EXPECT_EQ(walk(value_of("''")), "");
}

TEST(Iterator, AnswersTheErrorAsTheLastStep) {
  EXPECT_EQ(walk(value_of("({'a': 1}[key] for key in 'aba')")), "1 KeyError: 'b'");
  EXPECT_EQ(walk(value_of("1")), "TypeError: 'int' object is not iterable");
}

Result<> total(const Object& numbers) {
  Owned<> sum = value_of("0");
  for (Result<> step : numbers.each()) {
    const Owned<> number = TENURE_TRY(std::move(step));
    sum = TENURE_TRY(Result<>(PyNumber_Add(sum.get(), number.get())));
  }
  return sum;
}

TEST(Iterator, PassesErrorsOnFromALoop) {
  EXPECT_EQ(testing::repr(total(value_of("[1, 2, 3]")).take()), "6");
  EXPECT_FALSE(total(value_of("(1 // n for n in (1, 0, 1))")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  EXPECT_FALSE(total(value_of("None")));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Iterator, GoesOnWhereALoopLeftOff) {
  const Owned<Iterator> iterator = value_of("[1, 2, 3]").iter().take();
  for (Result<> step : iterator) {
    ASSERT_TRUE(step);
    break;
  }
  EXPECT_EQ(walk(iterator), "2 3 ");
}

TEST(Iterator, StepsByHand) {
  const Owned<Iterator> iterator = value_of("(1 // n for n in (1, 0))").iter().take();
  EXPECT_EQ(testing::repr(iterator.next().take()), "1");
  EXPECT_FALSE(iterator.next().ok());
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  const Lookup<> end = iterator.next();
  EXPECT_TRUE(end.ok());
  EXPECT_FALSE(end);
}

TEST(Iterator, MayBeChangedUnderALoop) {
  const Owned<List> list = value_of<List>("[[1], [2]]");
  int steps = 0;
  for (Result<> step : list.each()) {
    ASSERT_TRUE(step);
    ASSERT_TRUE(list.clear());
    EXPECT_EQ(Py_REFCNT((*step).get()), 1);
    ++steps;
  }
  EXPECT_EQ(steps, 1);
}

TEST(Iterator, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_EQ(walk(value_of("[[], []]")), "[] [] ");
    for (Result<> step : value_of("[[], []]").each()) {
      if (step) break;
    }
    EXPECT_FALSE(total(value_of("[None]")));
    PyErr_Clear();
    EXPECT_TRUE(value_of("[[]]").iter().take().next());
  });
}

}  // namespace
}  // namespace tenure
