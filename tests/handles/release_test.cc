#include "tenure/handles/release.h"

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/abi/thread.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;

DecrefQueue& queue() { return *DecrefQueue::current(); }

// Objects that count how many of them were destroyed.
constexpr const char* kCounted =
    "class Counted:\n"
    "  made = gone = 0\n"
    "  def __init__(self): Counted.made += 1\n"
    "  def __del__(self): Counted.gone += 1\n";

// Releases the value of `expression`, in a namespace with `Counted`, a drain at a time.
void expect_all_gone(const std::string& expression) {
  SCOPED_TRACE(expression);
  Strong names = testing::run(kCounted);
  {
    Strong ran =
        PyRun_String(("value = " + expression).c_str(), Py_file_input, names.get(), names.get());
    ASSERT_TRUE(ran);
  }
  PyObject* counted = PyDict_GetItemString(names.get(), "Counted");
  Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "value")));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "value"), 0);
  release_incrementally(std::move(value));
  int drains = 0;
  while (queue().drain({.objects = 7, .time = 1h}).more) {
    ASSERT_LT(++drains, 1'000'000);
  }
  Strong made = testing::attribute(counted, "made");
  Strong gone = testing::attribute(counted, "gone");
  EXPECT_GT(PyLong_AsLong(made.get()), 0);
  EXPECT_TRUE(testing::equal(made.get(), gone.get()));
}

TEST(ReleaseIncrementally, TakesContainersApart) {
  expect_all_gone("[Counted() for _ in range(1000)]");
  expect_all_gone("tuple(Counted() for _ in range(1000))");
  expect_all_gone("tuple(Counted() for _ in range(3))");
  expect_all_gone("{i: Counted() for i in range(1000)}");
  expect_all_gone("{str(i): Counted() for i in range(1000)}");
  expect_all_gone("{Counted(): i for i in range(1000)}");
  expect_all_gone("{Counted() for i in range(1000)}");
}

TEST(ReleaseIncrementally, TakesNestedOnesApart) {
  expect_all_gone("[[Counted(), (Counted(), {'a': {Counted(), 1}})] for _ in range(100)]");
  expect_all_gone("{i: [(Counted(),)] for i in range(100)}");
  expect_all_gone("({Counted()}, [], (), {}, [[[[Counted()]]]])");
}

TEST(ReleaseIncrementally, StandsHolesInTables) {
  expect_all_gone(
      "(lambda d: ([d.pop(i) for i in range(0, 1000, 3)], d)[1])"
      "({i: Counted() for i in range(1000)})");
  expect_all_gone(
      "(lambda s: ([s.pop() for i in range(300)], s)[1])"
      "({Counted() for i in range(1000)})");
}

TEST(ReleaseIncrementally, LeavesWhatOthersHold) {
  Strong names = testing::run("inner = [1, 2, 3]\nshared = [inner, inner]\nother = (shared,)\n");
  PyObject* shared = PyDict_GetItemString(names.get(), "shared");
  release_incrementally(Owned<>::steal(Py_NewRef(shared)));
  queue().flush();
  EXPECT_EQ(testing::repr(shared), "[[1, 2, 3], [1, 2, 3]]");
  Owned<> outer = Owned<>::steal(PyList_New(0));
  ASSERT_EQ(PyList_Append(outer.get(), shared), 0);
  release_incrementally(std::move(outer));
  queue().flush();
  EXPECT_EQ(testing::repr(shared), "[[1, 2, 3], [1, 2, 3]]");
}

TEST(ReleaseIncrementally, DropsAnythingElseAtOnce) {
  Strong names = testing::run(std::string(kCounted) +
                              "import weakref\n"
                              "class Sub(list): pass\n"
                              "a = Sub([Counted()])\n"
                              "b = frozenset([Counted()])\n"
                              "c = {Counted()}\n"
                              "called = []\n"
                              "w = weakref.ref(Sub)\n"
                              "d = Counted()\n");
  PyObject* counted = PyDict_GetItemString(names.get(), "Counted");
  long gone = 0;
  for (const char* name : {"a", "b", "d"}) {
    Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), name)));
    ASSERT_EQ(PyDict_DelItemString(names.get(), name), 0);
    release_incrementally(std::move(value));
    EXPECT_EQ(PyLong_AsLong(testing::attribute(counted, "gone").get()), ++gone) << name;
  }
}

TEST(ReleaseIncrementally, ASetWithAWeakReferenceDiesWhole) {
  Strong names = testing::run(
      "import weakref\n"
      "seen = []\n"
      "s = {1, 2, 3}\n"
      "w = weakref.ref(s, lambda ref: seen.append(ref()))\n");
  Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "s")));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "s"), 0);
  release_incrementally(std::move(value));
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "seen")), "[None]");
}

// By plain drops these would take the C stack, or CPython's trashcan.
TEST(ReleaseIncrementally, ChainsNeedNoStack) {
  for (const char* link : {"x = (x, 1)", "x = [1, x]", "x = {'next': x}"}) {
    Strong names = testing::run(std::string("x = None\nfor i in range(300_000): ") + link + "\n");
    Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "x")));
    ASSERT_EQ(PyDict_DelItemString(names.get(), "x"), 0);
    release_incrementally(std::move(value));
    while (queue().drain({.objects = 10'000, .time = 1h}).more) {
      ASSERT_LE(queue().stats().dismantling, 2U);
    }
  }
}

TEST(ReleaseIncrementally, DestructorsMayLookForWhatIsLeft) {
  Strong names = testing::run(
      "import gc\n"
      "class Curious:\n"
      "  def __del__(self):\n"
      "    gc.collect()\n"
      "    for other in gc.get_objects():\n"
      "      if type(other) in (list, tuple, dict, set): len(other)\n"
      "big = [(Curious(), [Curious()], {1: Curious()}) for _ in range(3)]\n");
  Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "big")));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "big"), 0);
  release_incrementally(std::move(value));
  queue().flush();
  EXPECT_EQ(queue().stats().dismantling, 0U);
}

// A limit with room for a machine that is busy with other things: the whole takes many times
// longer.
TEST(ReleaseIncrementally, KeepsToTheBudget) {
  Strong names = testing::run("big = [[float(i)] for i in range(400_000)]\n");
  Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "big")));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "big"), 0);
  release_incrementally(std::move(value));
  int drains = 1;
  while (queue().drain({.time = 200us}).more) ++drains;
  EXPECT_GT(drains, 10);
}

TEST(ReleaseIncrementally, HugeContainersThatWereDeferredAreTakenApart) {
  Strong names = testing::run("big = list(map(float, range(200_000)))\n");
  PyObject* big = Py_NewRef(PyDict_GetItemString(names.get(), "big"));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "big"), 0);
  queue().defer(big);
  const Drained first = queue().drain({.objects = 1000, .time = 1h});
  EXPECT_TRUE(first.more);
  queue().flush();
  EXPECT_EQ(queue().stats().dismantling, 0U);
}

TEST(ReleaseIncrementally, LeavesNoReference) {
  testing::expect_no_leak([] {
    Strong names = testing::run("big = [(i, [str(i)], {i: {i + 0.5}}) for i in range(500)]\n");
    Owned<> value = Owned<>::steal(Py_NewRef(PyDict_GetItemString(names.get(), "big")));
    ASSERT_EQ(PyDict_DelItemString(names.get(), "big"), 0);
    release_incrementally(std::move(value));
    queue().flush();
  });
}

}  // namespace
}  // namespace tenure
