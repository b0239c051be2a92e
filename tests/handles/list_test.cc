#include "tenure/handles/list.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/handles/int.h"
#include "tenure/handles/str.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

TEST(List, IsMadeOfHandles) {
  const Owned<Str> text = Str::make("text").take();
  Owned<> dict = value_of("{}");
  PyObject* const given = dict.get();
  const Owned<List> list = List::make(text, std::move(dict)).take();
  EXPECT_EQ(testing::repr(list), "['text', {}]");
  EXPECT_EQ(Py_REFCNT(given), 1);
  const Result<List> none = List::make();
  ASSERT_TRUE(none);
  EXPECT_TRUE((*none).empty());
  EXPECT_EQ(testing::repr(List::from(value_of("'ab'")).take()), "['a', 'b']");
}

TEST(List, AnswersItsItems) {
  const Owned<List> list = value_of<List>("[[1], [2]]");
  EXPECT_EQ(list.size(), 2);
  EXPECT_EQ(Py_REFCNT(list[1].get()), 1) << "borrowed";
  const Result<> item = list.at(1);
  EXPECT_EQ(Py_REFCNT(item.get()), 2) << "a reference of its own";
  for (const Py_ssize_t i : {2, -1}) {
    EXPECT_FALSE(list.at(i));
    EXPECT_EQ(take_message(), "IndexError: list index out of range");
  }
}

TEST(List, Changes) {
  const Owned<List> list = List::make().take();
  const auto number = [](int i) { return Int::make(i).take(); };
  ASSERT_TRUE(list.append(number(1)));
  ASSERT_TRUE(list.insert(0, number(0)));
  ASSERT_TRUE(list.insert(100, number(3)));
  EXPECT_EQ(testing::repr(list), "[0, 1, 3]");
  ASSERT_TRUE(list.extend(value_of("(5, 4)")));
  ASSERT_TRUE(list.set(0, number(9)));
  EXPECT_EQ(testing::repr(list), "[9, 1, 3, 5, 4]");
  ASSERT_TRUE(list.sort());
  ASSERT_TRUE(list.reverse());
  EXPECT_EQ(testing::repr(list), "[9, 5, 4, 3, 1]");
  ASSERT_TRUE(list.del(-1));
  EXPECT_EQ(testing::repr(list.slice(1, 3).take()), "[5, 4]");
  ASSERT_TRUE(list.set_slice(1, 3, value_of("'ab'")));
  EXPECT_EQ(testing::repr(list), "[9, 'a', 'b', 3]");
  ASSERT_TRUE(list.del_slice(1, 3));
  EXPECT_EQ(testing::repr(list.to_tuple().take()), "(9, 3)");
  const Owned<List> copy = list.copy().take();
  ASSERT_TRUE(list.clear());
  EXPECT_EQ(testing::repr(list), "[]");
  EXPECT_EQ(testing::repr(copy), "[9, 3]");
}

TEST(List, RefusesAsPythonDoes) {
  const Owned<List> list = value_of<List>("[1]");
  const Owned<> item = value_of("[]");
  EXPECT_FALSE(list.set(1, item));
  EXPECT_EQ(take_message(), "IndexError: list assignment index out of range");
  EXPECT_EQ(Py_REFCNT(item.get()), 1);
  EXPECT_FALSE(list.del(1));
  EXPECT_EQ(testing::take_error(), "IndexError");
  EXPECT_FALSE(list.extend(value_of("1")));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(value_of<List>("[1, 'a']").sort());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(list.extend(value_of("(1 / n for n in (1, 0))")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(List, ShowsDestructorsWhatWasSet) {
  const Owned<List> list = testing::defined_in<List>(
      "seen = []\n"
      "class Last:\n"
      "  def __del__(self): seen.append(list(items)); items.clear()\n"
      "items = [Last()]\n"
      "pair = [items, seen]\n",
      "pair");
  const Owned<List> items = list.at(0).take().as<List>().take();
  ASSERT_TRUE(items.set(0, value_of("'new'")));
  EXPECT_EQ(testing::repr(list), "[[], [['new']]]");
}

TEST(List, IsLoopedOverWithReferences) {
  const Owned<List> list = value_of<List>("[[1], [2]]");
  std::vector<std::string> seen;
  for (Owned<> item : list) {
    EXPECT_EQ(Py_REFCNT(item.get()), 2);
    seen.push_back(testing::repr(item));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"[1]", "[2]"}));
  EXPECT_EQ(Py_REFCNT(list[0].get()), 1);
  for (Owned<> item : value_of<List>("[]")) FAIL() << testing::repr(item);
}

TEST(List, MayChangeUnderALoop) {
  const Owned<List> list = value_of<List>("[[1], [2], [3]]");
  std::vector<std::string> seen;
  for (Owned<> item : list) {
    if (seen.size() == 1) {
      ASSERT_TRUE(list.del_slice(1, 4));
    }
    if (seen.empty()) {
      ASSERT_TRUE(list.append(value_of("[4]")));
    }
    seen.push_back(testing::repr(item));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"[1]", "[2]"}))
      << "what is gone from the list lives as long as the loop's handle";
  const Owned<List> growing = value_of<List>("[0]");
  int steps = 0;
  for (Owned<> item : growing) {
    if (++steps < 5) {
      ASSERT_TRUE(growing.append(item));
    }
  }
  EXPECT_EQ(steps, 5);
}

TEST(List, MayBeChangedByOtherThreadsUnderALoop) {
  const Owned<List> list = value_of<List>("[[n] for n in range(50)]");
  const Owned<List> more = value_of<List>("[[n] for n in range(50)]");
  testing::while_another_thread(
      [&] {
        EXPECT_TRUE(list.del_slice(1, PY_SSIZE_T_MAX));
        EXPECT_TRUE(list.extend(more.copy().take()));
      },
      [&] {
        for (int round = 0; round < 200; ++round) {
          for (Owned<> item : list) {
            EXPECT_TRUE(List::check(item.get()));
            // Others get their turn where there is a GIL.
            Py_BEGIN_ALLOW_THREADS Py_END_ALLOW_THREADS
          }
          const Result<> last = list.at(20);
          if (!last) {
            EXPECT_EQ(testing::take_error(), "IndexError");
          }
          EXPECT_FALSE(PyErr_Occurred());
        }
      });
}

TEST(List, SurvivesComparisonsThatChangeIt) {
  const Owned<List> list = testing::defined_in<List>(
      "class Item:\n"
      "  def __lt__(self, other): items.append(1); return True\n"
      "  def __eq__(self, other): items.clear(); return False\n"
      "items = [Item(), Item()]\n",
      "items");
  EXPECT_FALSE(list.sort());
  EXPECT_EQ(take_message(), "ValueError: list modified during sort");
  EXPECT_FALSE(*list.contains(value_of("2")));
  EXPECT_TRUE(list.empty());
}

TEST(List, IsLoopedOverWithoutReferences) {
  const Owned<List> list = value_of<List>("[[1], [2]]");
  int i = 0;
  for (Borrowed<> item : list.unsafe_borrowed()) {
    EXPECT_EQ(Py_REFCNT(item.get()), 1);
    EXPECT_TRUE(item.is(list[i++]));
  }
  EXPECT_EQ(i, 2);
  const Owned<List> none = value_of<List>("[]");
  for (Borrowed<> item : none.unsafe_borrowed()) FAIL() << testing::repr(item);
}

TEST(ListBuilder, FillsFromFrontToBack) {
  ListBuilder builder = ListBuilder::make(3).take();
  for (int i = 0; i < 3; ++i) builder.add(Int::make(i).take());
  EXPECT_EQ(testing::repr(std::move(builder).finish()), "[0, 1, 2]");
}

TEST(ListBuilder, GivesBackWhatItHasIfItIsDropped) {
  const Owned<> item = value_of("[]");
  {
    ListBuilder builder = ListBuilder::make(2).take();
    builder.add(item);
    EXPECT_EQ(Py_REFCNT(item.get()), 2);
  }
  EXPECT_EQ(Py_REFCNT(item.get()), 1);
}

TEST(List, FailsWithoutMemory) {
  const Owned<List> list = value_of<List>("[]");
  bool appended;
  {
    const testing::FailingMemory none(0);
    appended = static_cast<bool>(list.append(list));
  }
  EXPECT_FALSE(appended);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_TRUE(list.empty());
}

TEST(ListBuilder, FailsWithoutMemory) {
  bool there;
  {
    const testing::FailingMemory none(0);
    there = static_cast<bool>(ListBuilder::make(10'000));
  }
  EXPECT_FALSE(there);
  EXPECT_EQ(testing::take_error(), "MemoryError");
}

TEST(List, IsWhatDirAnswers) {
  const Result<List> names = value_of("1").dir();
  ASSERT_TRUE(names);
  EXPECT_TRUE(*(*names).contains(Str::make("bit_length").take()));
}

TEST(List, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<> item = value_of("[]");
    const Owned<List> list = List::make(item, item.new_ref()).take();
    EXPECT_TRUE(list.set(0, item));
    EXPECT_TRUE(list.set(1, item.new_ref()));
    EXPECT_FALSE(list.set(7, item.new_ref()));
    PyErr_Clear();
    for (Owned<> each : list) {
      if (each.is(item)) break;
    }
    EXPECT_TRUE(list.append(item));
    EXPECT_TRUE(list.at(0));
  });
}

}  // namespace
}  // namespace tenure
