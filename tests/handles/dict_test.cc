#include "tenure/handles/dict.h"

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

Owned<Str> str(const char* text) { return Str::make(text).take(); }

TEST(Dict, FindsOrSaysThatThereIsNothing) {
  const Owned<Dict> dict = value_of<Dict>("{'a': [1]}");
  const Lookup<> found = dict.get(str("a"));
  ASSERT_TRUE(found.ok() && found);
  EXPECT_EQ(Py_REFCNT((*found).get()), 2) << "a reference of its own";
  EXPECT_TRUE(dict.get("a"));
  for (const Lookup<>& nothing : {dict.get(str("b")), dict.get("b")}) {
    EXPECT_TRUE(nothing.ok());
    EXPECT_FALSE(nothing);
  }
  EXPECT_FALSE(PyErr_Occurred());
  EXPECT_TRUE(*dict.contains(str("a")));
  EXPECT_FALSE(*dict.contains(str("b")));
}

TEST(Dict, PassesErrorsOn) {
  const Owned<Dict> dict = value_of<Dict>("{1: 2}");
  const Owned<> list = value_of("[]");
  EXPECT_FALSE(dict.get(list).ok());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(dict.contains(list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(dict.set(list, list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(dict.pop(list).ok());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(dict.setdefault(list, list));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(dict.del(str("absent")));
  EXPECT_EQ(take_message(), "KeyError: 'absent'");
}

TEST(Dict, Changes) {
  const Owned<Dict> dict = Dict::make().take();
  EXPECT_TRUE(dict.empty());
  const Owned<> one = value_of("1");
  const Owned<> two = value_of("2");
  ASSERT_TRUE(dict.set(str("a"), one));
  ASSERT_TRUE(dict.set("b", two));
  EXPECT_EQ(testing::repr(dict), "{'a': 1, 'b': 2}");
  EXPECT_EQ(testing::repr(dict.setdefault(str("a"), two).take()), "1");
  EXPECT_EQ(testing::repr(dict.setdefault(str("c"), two).take()), "2");
  EXPECT_EQ(dict.size(), 3);
  EXPECT_EQ(testing::repr(dict.pop(str("a")).take()), "1");
  EXPECT_FALSE(dict.pop(str("a")));
  ASSERT_TRUE(dict.del("b"));
  ASSERT_TRUE(dict.del(str("c")));
  ASSERT_TRUE(dict.update(value_of("{'x': 1, 'y': 1}")));
  ASSERT_TRUE(dict.update(value_of("{'x': 2}")));
  ASSERT_TRUE(dict.add_missing(value_of("{'y': 2, 'z': 2}")));
  EXPECT_EQ(testing::repr(dict.copy().take()), "{'x': 2, 'y': 1, 'z': 2}");
  EXPECT_EQ(testing::repr(dict.keys().take()), "['x', 'y', 'z']");
  EXPECT_EQ(testing::repr(dict.values().take()), "[2, 1, 2]");
  EXPECT_EQ(testing::repr(dict.items().take()), "[('x', 2), ('y', 1), ('z', 2)]");
  dict.clear();
  EXPECT_TRUE(dict.empty());
}

TEST(Dict, AsksNothingOfSubclasses) {
  const Owned<Dict> dict = testing::defined_in<Dict>(
      "class Full(dict):\n"
      "  def __missing__(self, key): return 1\n"
      "  def __len__(self): return 9\n"
      "dict = Full()\n",
      "dict");
  EXPECT_FALSE(dict.get(str("a")));
  EXPECT_EQ(dict.size(), 0);
  EXPECT_TRUE(dict.get_item(str("a"))) << "which Object's operations do";
}

// A key that answers == by changing the dict that it is in.
TEST(Dict, SurvivesKeysThatChangeIt) {
  const Owned<Dict> names = testing::defined_in<Dict>(
      "class Key:\n"
      "  def __hash__(self): return 1\n"
      "  def __eq__(self, other):\n"
      "    target.clear()\n"
      "    return True\n"
      "target = {Key(): [1]}\n"
      "both = {'target': target, 'key': Key()}\n",
      "both");
  const Owned<Dict> target = names.get("target").take().as<Dict>().take();
  const Owned<> key = names.get("key").take();
  const Lookup<> found = target.get(key);
  EXPECT_TRUE(found.ok());
  if (found) {
    EXPECT_EQ(testing::repr(*found), "[1]");
  }
  EXPECT_TRUE(target.set(key, key));
  EXPECT_TRUE(target.pop(key).ok());
  PyErr_Clear();
}

TEST(Dict, IsLoopedOverWithReferences) {
  const Owned<Dict> dict = value_of<Dict>("{'a': [1], 'b': [2]}");
  std::string seen;
  for (Result<DictItem> step : dict) {
    ASSERT_TRUE(step);
    auto [key, value] = std::move(step).take();
    EXPECT_EQ(Py_REFCNT(value.get()), 2);
    seen += testing::repr(key) + testing::repr(value);
  }
  EXPECT_EQ(seen, "'a'[1]'b'[2]");
  for (Result<DictItem> step : value_of<Dict>("{}")) FAIL() << static_cast<bool>(step);
}

TEST(Dict, SaysThatItsSizeChangedUnderALoop) {
  const Owned<Dict> dict = value_of<Dict>("{n: n for n in range(3)}");
  int steps = 0;
  int errors = 0;
  for (Result<DictItem> step : dict) {
    ++steps;
    if (!step) {
      ++errors;
      EXPECT_EQ(take_message(), "RuntimeError: dictionary changed size during iteration");
      continue;
    }
    ASSERT_TRUE(dict.set("new", value_of("1")));
  }
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(errors, 1) << "once, and then it ends";
}

TEST(Dict, SaysThatItsKeysChangedUnderALoop) {
  const Owned<Dict> dict = value_of<Dict>("{0: None}");
  int steps = 0;
  bool failed = false;
  for (Result<DictItem> step : dict) {
    if (!step) {
      failed = true;
      EXPECT_EQ(take_message(), "RuntimeError: dictionary keys changed during iteration");
      break;
    }
    ASSERT_TRUE(dict.del(std::move(step).take().key));
    ASSERT_TRUE(dict.set(Int::make(++steps).take(), Borrowed<>(Py_None)));
    ASSERT_LT(steps, 100);
  }
  EXPECT_TRUE(failed);
}

TEST(Dict, MayBeChangedByOtherThreadsUnderALoop) {
  const Owned<Dict> dict = value_of<Dict>("{n: [n] for n in range(50)}");
  const Owned<Dict> more = dict.copy().take();
  testing::while_another_thread(
      [&] {
        dict.clear();
        EXPECT_TRUE(dict.update(more));
      },
      [&] {
        for (int round = 0; round < 200; ++round) {
          for (Result<DictItem> step : dict) {
            if (!step) {
              EXPECT_EQ(testing::take_error(), "RuntimeError");
              break;
            }
            const auto [key, value] = std::move(step).take();
            EXPECT_TRUE(List::check(value.get()));
            Py_BEGIN_ALLOW_THREADS Py_END_ALLOW_THREADS
          }
          EXPECT_FALSE(PyErr_Occurred());
        }
      });
}

TEST(Dict, FailsWithoutMemory) {
  const Owned<Dict> dict =
      value_of<Dict>("{n: n for n in range(5)}");  // full: the next one grows it
  const Owned<Str> key = str("key");
  bool set;
  {
    const testing::FailingMemory none(0);
    set = static_cast<bool>(dict.set(key, key));
  }
  EXPECT_FALSE(set);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_EQ(dict.size(), 5);
}

TEST(Dict, LetsValuesBeReplacedUnderALoop) {
  const Owned<Dict> dict = value_of<Dict>("{n: [n] for n in range(3)}");
  for (Result<DictItem> step : dict) {
    auto [key, value] = std::move(step).take();
    ASSERT_TRUE(dict.set(key, Borrowed<>(Py_None)));
    EXPECT_EQ(Py_REFCNT(value.get()), 1) << "only the loop has it now";
  }
  EXPECT_EQ(testing::repr(dict), "{0: None, 1: None, 2: None}");
}

TEST(Dict, IsLoopedOverWithoutReferences) {
  const Owned<Dict> dict = value_of<Dict>("{'a': [1], 'b': [2]}");
  std::string seen;
  for (auto [key, value] : dict.unsafe_borrowed()) {
    EXPECT_EQ(Py_REFCNT(value.get()), 1);
    seen += testing::repr(key) + testing::repr(value);
  }
  EXPECT_EQ(seen, "'a'[1]'b'[2]");
}

TEST(Dict, IsCalledWith) {
  const Owned<> function = value_of("lambda *args, **kwargs: (args, kwargs)");
  EXPECT_EQ(
      testing::repr(function.call_with(value_of<Tuple>("(1,)"), value_of<Dict>("{'x': 2}")).take()),
      "((1,), {'x': 2})");
}

TEST(Dict, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<Dict> dict = value_of<Dict>("{n: [n] for n in range(3)}");
    for (Result<DictItem> step : dict) EXPECT_TRUE(step);
    for (Result<DictItem> step : dict) {
      if (step) break;
    }
    for (Result<DictItem> step : dict) {
      if (!step) break;
      EXPECT_TRUE(dict.set("new", value_of("1")));
    }
    PyErr_Clear();
    EXPECT_TRUE(dict.get("new"));
    EXPECT_TRUE(dict.pop(str("new")));
    EXPECT_TRUE(dict.setdefault(str("x"), str("y")));
    EXPECT_FALSE(dict.del("absent"));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
