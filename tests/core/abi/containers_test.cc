#include "tenure/core/abi/containers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::Deaths;
using testing::evaluate;

// The only reference to the value of an expression.
PyObject* only(const std::string& expression) { return evaluate(expression).release(); }

ContainerKind kind_of(const std::string& expression) {
  const Strong value = evaluate(expression);
  return container_kind(value.get());
}

OpenContainer open(PyObject* object) { return open_container(object, container_kind(object)); }

// Takes the references out one by one, then drops what is left. Their repr(), sorted.
std::vector<std::string> take_apart(PyObject* object) {
  OpenContainer container = open(object);
  std::vector<std::string> taken;
  while (true) {
    if (const Strong one = take_from(container)) {
      taken.push_back(testing::repr(one.get()));
    } else if (container.end == 0 && !give_back(container)) {
      break;
    }
  }
  EXPECT_EQ(take_from(container), nullptr);
  Py_DECREF(container.object);
  std::sort(taken.begin(), taken.end());
  return taken;
}

// Every object in it, one for each reference, as take_apart() answers.
std::vector<std::string> numbers(int begin, int end, int times = 1) {
  std::vector<std::string> all;
  for (int i = begin; i < end; ++i) all.insert(all.end(), times, std::to_string(i));
  std::sort(all.begin(), all.end());
  return all;
}

TEST(ContainerKind, IsOfTheBuiltInTypesOnly) {
  EXPECT_EQ(kind_of("[1]"), ContainerKind::kList);
  EXPECT_EQ(kind_of("tuple([1])"), ContainerKind::kTuple);
  EXPECT_EQ(kind_of("{1: 2}"), ContainerKind::kDict);
  EXPECT_EQ(kind_of("{'a': 2}"), ContainerKind::kDict);
  EXPECT_EQ(kind_of("{1}"), ContainerKind::kSet);
  EXPECT_EQ(kind_of("type('L', (list,), {})([1])"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("type('T', (tuple,), {})([1])"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("type('D', (dict,), {})({1: 2})"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("type('S', (set,), {})([1])"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("frozenset([1])"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("bytearray(10)"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("str([1, 2])"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("object()"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("10 ** 30"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("sys.flags"), ContainerKind::kNone);
  EXPECT_EQ(kind_of("()"), ContainerKind::kNone) << "there is only one";
}

TEST(ContainerKind, IsOfWhatOnlyOneRefersTo) {
  for (const char* expression : {"[1]", "tuple([1])", "{1: 2}", "{1}"}) {
    const Strong value = evaluate(expression);
    EXPECT_NE(container_kind(value.get()), ContainerKind::kNone) << expression;
    EXPECT_TRUE(may_be_container(value.get()));
    {
      const Strong second = Py_NewRef(value.get());
      EXPECT_EQ(container_kind(value.get()), ContainerKind::kNone) << expression;
      EXPECT_EQ(container_slots(value.get()), 0);
    }
    EXPECT_NE(container_kind(value.get()), ContainerKind::kNone) << expression;
  }
}

// The table of attributes belongs to the class as well, or to the instance.
TEST(ContainerKind, IsNotOfTheAttributesOfInstances) {
  const Strong names = testing::run(
      "class Sample:\n"
      "  def __init__(self): self.a = 1; self.b = 2\n"
      "keep = [Sample() for i in range(3)]\n"
      "taken = Sample().__dict__\n"
      "own = Sample(); attributes = own.__dict__\n"
      "for i in range(100): setattr(own, f'x{i}', i)\n");
  for (const char* name : {"taken", "attributes"}) {
    const Strong dict = Py_NewRef(PyDict_GetItemString(names.get(), name));
    EXPECT_EQ(PyDict_DelItemString(names.get(), name), 0);
    if (container_kind(dict.get()) == ContainerKind::kDict) {
      // An instance that is gone leaves a table that only the dict has.
      const std::vector<std::string> taken = take_apart(PyDict_Copy(dict.get()));
      EXPECT_EQ(taken.size(), 2 * static_cast<size_t>(PyDict_Size(dict.get())));
    }
    EXPECT_GE(PyDict_Size(dict.get()), 2);
  }
  const Strong sample = PyObject_CallNoArgs(PyDict_GetItemString(names.get(), "Sample"));
  const Strong dict = testing::attribute(sample.get(), "__dict__");
  EXPECT_EQ(container_kind(dict.get()), ContainerKind::kNone);
}

TEST(ContainerKind, IsNotOfSetsWithWeakReferences) {
  const Strong names = testing::run("import _weakref\ns = {1, 2}\nw = _weakref.ref(s)\n");
  const Strong set = Py_NewRef(PyDict_GetItemString(names.get(), "s"));
  EXPECT_EQ(PyDict_DelItemString(names.get(), "s"), 0);
  EXPECT_EQ(Py_REFCNT(set.get()), 1);
  EXPECT_EQ(container_kind(set.get()), ContainerKind::kNone);
}

TEST(TakeFrom, ListsOfAnyLength) {
  for (const int length : {0, 1, 2, 3, 100, 5000}) {
    const std::string text = std::to_string(length);
    EXPECT_EQ(take_apart(only("list(range(" + text + "))")), numbers(0, length)) << length;
    EXPECT_EQ(take_apart(only("[i for i in range(" + text + ")]")), numbers(0, length)) << length;
  }
}

TEST(TakeFrom, ListsWithEmptySlots) {
  PyObject* list = PyList_New(10);
  PyList_SET_ITEM(list, 3, PyLong_FromLong(3));
  PyList_SET_ITEM(list, 8, PyLong_FromLong(8));
  EXPECT_EQ(take_apart(list), (std::vector<std::string>{"3", "8"}));
}

// Up to 20 the interpreter keeps them for reuse by their length.
TEST(TakeFrom, TuplesOfAnyLength) {
  for (int length = 1; length < 130; length += length < 24 || length > 60 ? 1 : 9) {
    const std::string text = std::to_string(length);
    EXPECT_EQ(take_apart(only("tuple(range(" + text + "))")), numbers(0, length)) << length;
    const Strong again = evaluate("tuple(range(" + text + "))");
    EXPECT_EQ(PyTuple_Size(again.get()), length) << "what is reused is as it should be";
  }
  EXPECT_EQ(take_apart(only("tuple(range(5000))")), numbers(0, 5000));
}

TEST(TakeFrom, DictsOfEveryKind) {
  for (const int length : {1, 5, 6, 100, 5000}) {
    const std::string range = "range(" + std::to_string(length) + ")";
    EXPECT_EQ(take_apart(only("{i: i for i in " + range + "}")), numbers(0, length, 2));
    std::vector<std::string> expected = numbers(0, length);
    for (int i = 0; i < length; ++i) expected.push_back("'" + std::to_string(i) + "'");
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(take_apart(only("{str(i): i for i in " + range + "}")), expected);
  }
  EXPECT_EQ(take_apart(only("{1: 2, 'a': 3}")), (std::vector<std::string>{"'a'", "1", "2", "3"}));
  EXPECT_EQ(take_apart(only("{'a': 3, 1: 2}")), (std::vector<std::string>{"'a'", "1", "2", "3"}));
}

TEST(TakeFrom, DictsAndSetsWithDeletedKeys) {
  const Strong names = testing::run(
      "d = {i: i for i in range(1000)}\n"
      "t = {str(i): i for i in range(1000)}\n"
      "s = {i for i in range(1000)}\n"
      "for i in range(1000):\n"
      "  if i % 7: del d[i]; del t[str(i)]; s.discard(i)\n"
      "e = {1: 1}; del e[1]\n"
      "f = {1}; f.discard(1)\n");
  auto taken = [&](const char* name) {
    PyObject* object = Py_NewRef(PyDict_GetItemString(names.get(), name));
    EXPECT_EQ(PyDict_DelItemString(names.get(), name), 0);
    return take_apart(object).size();
  };
  EXPECT_EQ(taken("d"), 2 * 143U);
  EXPECT_EQ(taken("t"), 2 * 143U);
  EXPECT_EQ(taken("s"), 143U);
  EXPECT_EQ(taken("e"), 0U);
  EXPECT_EQ(taken("f"), 0U);
}

TEST(TakeFrom, SetsOfAnySize) {
  for (const int length : {1, 4, 5, 8, 100, 5000}) {
    EXPECT_EQ(take_apart(only("set(range(" + std::to_string(length) + "))")), numbers(0, length));
  }
}

// Dropped half-way, it drops the other half.
TEST(TakeFrom, LeavesASmallerContainer) {
  for (const int kind : {0, 1, 2, 3}) {
    Deaths deaths;
    const std::vector<PyObject*> objects = deaths.make(10);
    PyObject* container = kind == 0   ? PyList_New(10)
                          : kind == 1 ? PyTuple_New(10)
                          : kind == 2 ? PyDict_New()
                                      : PySet_New(nullptr);
    for (int i = 0; i < 10; ++i) {
      if (kind == 0) PyList_SET_ITEM(container, i, Py_NewRef(objects[i]));
      if (kind == 1) PyTuple_SET_ITEM(container, i, Py_NewRef(objects[i]));
      if (kind == 2) {
        const Strong key = PyLong_FromLong(i);
        ASSERT_EQ(PyDict_SetItem(container, key.get(), objects[i]), 0);
      }
      if (kind == 3) {
        ASSERT_EQ(PySet_Add(container, objects[i]), 0);
      }
      Py_DECREF(objects[i]);
    }
    OpenContainer opened = open(container);
    for (int taken = 0; taken < 4;) {
      const Strong one = take_from(opened);
      ASSERT_TRUE(one);
      if (!PyLong_Check(one.get())) ++taken;
    }
    EXPECT_EQ(deaths.count(), 4);
    Py_DECREF(container);
    EXPECT_EQ(deaths.count(), 10) << "kind " << kind;
  }
}

TEST(OpenContainer, IsOutOfTheCollectorsSight) {
  PyObject* list = only("[object()]");
  ASSERT_TRUE(PyObject_GC_IsTracked(list));
  OpenContainer container = open(list);
  EXPECT_FALSE(PyObject_GC_IsTracked(list));
  PyGC_Collect();
  Py_DECREF(container.object);
}

TEST(DropPlainFrom, StopsWhereOtherCodeCouldRun) {
  Deaths deaths;
  const Strong shared = deaths.make();
  PyObject* list = only("[1.5, None, 10 ** 30, str(1.25), bytes(3), 2]");
  PyObject* wanted = deaths.make().release();
  PyList_Insert(list, 1, wanted);
  Py_DECREF(wanted);
  PyList_Append(list, shared.get());
  OpenContainer container = open(list);
#ifdef Py_GIL_DISABLED
  // That others refer to it now does not say that they will when it is dropped.
  EXPECT_EQ(drop_plain_from(container, 100), 0U);
  Py_DECREF(take_from(container));
  EXPECT_EQ(drop_plain_from(container, 100), 4U);
  Py_DECREF(take_from(container));  // None is of no type that is known
#else
  EXPECT_EQ(drop_plain_from(container, 3), 3U);
  EXPECT_EQ(Py_REFCNT(shared.get()), 1);
  EXPECT_EQ(drop_plain_from(container, 100), 3U);
#endif
  EXPECT_EQ(Py_REFCNT(shared.get()), 1);
  EXPECT_EQ(deaths.count(), 0) << "a destructor is in the way";
  EXPECT_EQ(container.end, 2);
  Py_DECREF(take_from(container));
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(drop_plain_from(container, 100), 1U);
  EXPECT_EQ(container.end, 0);
  EXPECT_FALSE(give_back(container));
  Py_DECREF(container.object);
}

TEST(DropPlainFrom, LeavesTablesAlone) {
  for (const char* expression : {"{1: 2}", "{1, 2}"}) {
    OpenContainer container = open(only(expression));
    EXPECT_EQ(drop_plain_from(container, 100), 0U);
    Py_DECREF(container.object);
  }
}

#ifndef __SANITIZE_THREAD__  // which keeps memory of its own for each page
// Freeing the rest at once would take as long as the table is big.
TEST(GiveBack, MemoryGoesBackWhileItIsTakenApart) {
  struct Sample {
    const char* expression;
    int mib;  // of its table
  };
  for (const Sample& sample :
       {Sample{"[None] * 8_000_000", 61}, Sample{"(None,) * 8_000_000", 61},
        Sample{"dict.fromkeys(range(1_000_000))", 24}, Sample{"set(range(1_000_000))", 16}}) {
    SCOPED_TRACE(sample.expression);
    PyObject* object = only(sample.expression);
    const int full = testing::resident_mib();
    OpenContainer container = open(object);
    const Py_ssize_t slots = container.end;
    auto take_until = [&](Py_ssize_t end) {
      while (container.end > end) {
        if (drop_plain_from(container, 1000) == 0) Py_XDECREF(take_from(container));
      }
    };
    take_until(slots / 2);
    const int half = testing::resident_mib();
    EXPECT_GT(full - half, sample.mib / 2 - 8);
    take_until(0);
    while (give_back(container)) {
    }
    EXPECT_GT(full - testing::resident_mib(), sample.mib - 8);
    Py_DECREF(container.object);
  }
}
#endif

TEST(TakeFrom, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    for (const char* expression :
         {"[object() for i in range(9)]", "tuple([object() for i in range(99)])",
          "{object(): object() for i in range(9)}", "{str(i): object() for i in range(9)}",
          "{object() for i in range(9)}"}) {
      take_apart(only(expression));
    }
  });
}

}  // namespace
}  // namespace tenure::abi
