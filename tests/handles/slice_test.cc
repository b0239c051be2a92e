#include "tenure/handles/slice.h"

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

void expect_indices(const Slice& slice, Py_ssize_t length, const SliceIndices& expected) {
  const Result<SliceIndices> range = slice.indices(length);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, expected.start);
  EXPECT_EQ(range->stop, expected.stop);
  EXPECT_EQ(range->step, expected.step);
  EXPECT_EQ(range->count, expected.count);
}

TEST(Slice, MeansItemsOfASequence) {
  expect_indices(value_of<Slice>("slice(None)"), 5, {0, 5, 1, 5});
  expect_indices(value_of<Slice>("slice(1, -1)"), 5, {1, 4, 1, 3});
  expect_indices(value_of<Slice>("slice(None, None, -2)"), 5, {4, -1, -2, 3});
  expect_indices(value_of<Slice>("slice(-10**30, 10**30)"), 5, {0, 5, 1, 5});
  expect_indices(Slice::make(1, 100, 3).take(), 5, {1, 5, 3, 2});
}

TEST(Slice, IsMadeOfObjects) {
  const Borrowed<> none(Py_None);
  EXPECT_EQ(testing::repr(Slice::make(none, value_of("2"), none).take()), "slice(None, 2, None)");
  EXPECT_EQ(testing::repr(Slice::make(1, 2).take()), "slice(1, 2, 1)");
}

TEST(Slice, RefusesWhatIsNoIndex) {
  EXPECT_FALSE(value_of<Slice>("slice(1, 2, 0)").indices(5));
  EXPECT_EQ(testing::take_message(), "ValueError: slice step cannot be zero");
  EXPECT_FALSE(value_of<Slice>("slice('a', 2)").indices(5));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(
      value_of<Slice>("slice(type('', (), {'__index__': lambda self: 1 / 0})())").indices(5));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

// __index__ may make the sequence shorter; who asks for the length behind it is safe.
TEST(Slice, IsUnpackedBeforeTheLengthIsKnown) {
  const char* source =
      "class Emptying:\n"
      "  def __index__(self): target.clear(); return 2\n"
      "target = [1, 2, 3]\n"
      "pair = [target, slice(0, Emptying())]\n";
  const Owned<> pair = testing::defined_in(source, "pair");
  PyObject* target = PyList_GET_ITEM(pair.get(), 0);
  const Owned<Slice> slice = Owned<Slice>::steal(Py_NewRef(PyList_GET_ITEM(pair.get(), 1)));
  Result<SliceIndices> range = slice.unpack();
  ASSERT_TRUE(range);
  EXPECT_EQ(Slice::adjust(*range, PyList_GET_SIZE(target)), 0);
}

TEST(Slice, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_TRUE(Slice::make(1000, 2000).take().indices(1500));
    EXPECT_FALSE(value_of<Slice>("slice('a')").indices(1));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
