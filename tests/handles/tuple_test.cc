#include "tenure/handles/tuple.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/handles/int.h"
#include "tenure/handles/str.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

TEST(Tuple, IsMadeOfHandles) {
  const Owned<Str> text = Str::make("text").take();
  Owned<> list = value_of("[]");
  PyObject* const given = list.get();
  const Borrowed<> none(Py_None);
  const Owned<Tuple> tuple = Tuple::make(text, std::move(list), none).take();
  EXPECT_EQ(testing::repr(tuple), "('text', [], None)");
  EXPECT_EQ(Py_REFCNT(given), 1) << "the reference was given away, not another one made";
  EXPECT_EQ(Py_REFCNT(text.get()), 2);
  EXPECT_EQ(testing::repr(Tuple::make().take()), "()");
}

TEST(Tuple, KeepsItsHandsOffWhatItCannotTake) {
  Owned<> list = value_of("[]");
  Result<Tuple> tuple = Failed{(PyErr_NoMemory(), Failed{})};
  PyErr_Clear();
  {
    const testing::FailingMemory none(0);
    // Of a size that no list of free tuples has.
    tuple =
        Tuple::make(list, list, list, list, list, list, list, list, list, list, list, list, list,
                    list, list, list, list, list, list, list, list, list, list, std::move(list));
  }
  EXPECT_FALSE(tuple);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_EQ(Py_REFCNT(list.get()), 1);  // NOLINT(bugprone-use-after-move)
}

TEST(Tuple, ComesFromIterables) {
  EXPECT_EQ(testing::repr(Tuple::from(value_of("range(3)")).take()), "(0, 1, 2)");
  EXPECT_FALSE(Tuple::from(value_of("1")));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Tuple, AnswersItsItemsWithoutCounting) {
  const Owned<Tuple> tuple = value_of<Tuple>("([], {})");
  EXPECT_EQ(tuple.size(), 2);
  EXPECT_FALSE(tuple.empty());
  const Borrowed<> first = tuple[0];
  EXPECT_EQ(testing::repr(first), "[]");
  EXPECT_EQ(Py_REFCNT(first.get()), 1);
}

TEST(Tuple, ChecksWhereItIsAsked) {
  const Owned<Tuple> tuple = value_of<Tuple>("(1, 2)");
  EXPECT_EQ(testing::repr(*tuple.at(1)), "2");
  for (const Py_ssize_t i : {2, -1}) {
    EXPECT_FALSE(tuple.at(i));
    EXPECT_EQ(testing::take_message(), "IndexError: tuple index out of range");
  }
}

TEST(Tuple, IsLoopedOver) {
  const Owned<Tuple> tuple = value_of<Tuple>("([1], [2], [3])");
  std::vector<PyObject*> seen;
  for (Borrowed<> item : tuple) {
    EXPECT_EQ(Py_REFCNT(item.get()), 1);
    seen.push_back(item.get());
  }
  EXPECT_EQ(seen, (std::vector{tuple[0].get(), tuple[1].get(), tuple[2].get()}));
  for (Borrowed<> item : value_of<Tuple>("()")) FAIL() << testing::repr(item);
}

TEST(Tuple, IsSliced) {
  const Owned<Tuple> tuple = value_of<Tuple>("(1, 2, 3)");
  EXPECT_EQ(testing::repr(tuple.slice(1, 100).take()), "(2, 3)");
  EXPECT_EQ(testing::repr(tuple.slice(2, 1).take()), "()");
}

TEST(TupleBuilder, FillsFromFrontToBack) {
  TupleBuilder builder = TupleBuilder::make(3).take();
  for (int i = 0; i < 3; ++i) builder.add(Int::make(i).take());
  EXPECT_EQ(testing::repr(std::move(builder).finish()), "(0, 1, 2)");
}

TEST(TupleBuilder, GivesBackWhatItHasIfItIsDropped) {
  const Owned<> list = value_of("[]");
  {
    TupleBuilder builder = TupleBuilder::make(3).take();
    builder.add(list);
    builder.add(list.new_ref());
    EXPECT_EQ(Py_REFCNT(list.get()), 3);
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST(Tuple, IsCalledWith) {
  const Owned<> function = value_of("lambda *args: args");
  const Owned<Tuple> arguments = value_of<Tuple>("(1, 2)");
  EXPECT_EQ(testing::repr(function.call_with(arguments).take()), "(1, 2)");
}

TEST(Tuple, NamesArgumentsOnceForManyCalls) {
  const Owned<> function = value_of("lambda *args, **kwargs: (args, kwargs)");
  const Owned<Tuple> names = value_of<Tuple>("('x', 'y')");
  const Owned<> one = value_of("1");
  const Owned<> two = value_of("2");
  EXPECT_EQ(testing::repr(function.call_named(names, one, two, one).take()),
            "((1,), {'x': 2, 'y': 1})");
}

TEST(Tuple, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<> list = value_of("[]");
    const Owned<Tuple> tuple = Tuple::make(list, list, list.new_ref()).take();
    for (Borrowed<> item : tuple) EXPECT_TRUE(item.new_ref().is(list));
    EXPECT_TRUE(tuple.slice(0, 2));
    EXPECT_FALSE(tuple.at(9));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
