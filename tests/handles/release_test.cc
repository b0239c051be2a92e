#include "tenure/handles/release.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;
using testing::on_another_thread;

DecrefQueue& queue() { return *DecrefQueue::main(); }

void release(Strong object) { release_incrementally(Owned<>::steal(std::move(object).release())); }

Strong list_of(const std::vector<PyObject*>& objects) {
  Strong list = PyList_New(static_cast<Py_ssize_t>(objects.size()));
  for (size_t i = 0; i < objects.size(); ++i) {
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), objects[i]);
  }
  return list;
}

class ReleaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    EXPECT_EQ(queue().stats().dismantling, 0U);
    testing::expect_balanced(queue());
  }
};

TEST_F(ReleaseTest, DrainsDropALittleAtATime) {
  const Bound bound(1h);
  Deaths deaths;
  release(list_of(deaths.make(1000)));
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().stats().dismantling, 1U);
  EXPECT_TRUE(queue().has_pending());
  EXPECT_TRUE(queue().drain({.objects = 100, .time = 1h}).more);
  EXPECT_GT(deaths.count(), 0);
  EXPECT_LE(deaths.count(), 100);
  queue().flush();
  EXPECT_EQ(deaths.count(), 1000);
  EXPECT_EQ(queue().stats().dismantling, 0U);
}

TEST_F(ReleaseTest, NeedsNobodyToDrain) {
  const Bound bound(10ms);
  Deaths deaths;
  release(list_of(deaths.make(20'000)));
  EXPECT_TRUE(testing::eventually_detached([&] { return deaths.count() == 20'000; }));
  EXPECT_EQ(deaths.elsewhere(), 0);
  EXPECT_TRUE(testing::eventually_detached([&] { return queue().stats().dismantling == 0; }));
}

TEST_F(ReleaseTest, OrWhilePythonRuns) {
  const Bound bound(10ms);
  Deaths deaths;
  const uint64_t before = queue().stats().pending_calls;
  release(list_of(deaths.make(20'000)));
  const Strong ran = testing::run(
      "import time\n"
      "end = time.monotonic() + 1\n"
      "while time.monotonic() < end: pass\n");
  EXPECT_EQ(deaths.count(), 20'000);
  EXPECT_GT(queue().stats().pending_calls, before);
}

TEST_F(ReleaseTest, DropsAnythingElseAtOnce) {
  Deaths deaths;
  release(deaths.make());
  EXPECT_EQ(deaths.count(), 1);
  const Strong list = list_of(deaths.make(3));
  release(Py_NewRef(list.get()));
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_EQ(PyList_Size(list.get()), 3);
  release(testing::evaluate("frozenset([1, 2])"));
  release(testing::evaluate("type('L', (list,), {})([1])"));
  EXPECT_EQ(queue().stats().dismantling, 0U);
}

TEST_F(ReleaseTest, TakesEveryKindApart) {
  const Bound bound(1h);
  Deaths deaths;
  auto sample = [&](int kind) -> Strong {
    const Strong list = list_of(deaths.make(5));
    if (kind == 0) return Py_NewRef(list.get());
    if (kind == 1) return PyList_AsTuple(list.get());
    if (kind == 2) return PySet_New(list.get());
    const Strong keys = testing::evaluate(kind == 3 ? "list(range(5))" : "['a','b','c','d','e']");
    Strong dict = PyDict_New();
    for (int i = 0; i < 5; ++i) {
      PyDict_SetItem(dict.get(), PyList_GET_ITEM(keys.get(), i), PyList_GET_ITEM(list.get(), i));
    }
    return dict;
  };
  Strong all = PyList_New(0);
  for (int kind = 0; kind < 5; ++kind) {
    const Strong inside = sample(kind);
    ASSERT_EQ(PyList_Append(all.get(), inside.get()), 0);
  }
  for (int kind = 0; kind < 5; ++kind) release(sample(kind));
  release(std::move(all));
  EXPECT_EQ(deaths.count(), 0);
  queue().flush();
  EXPECT_EQ(deaths.count(), 50);
}

// Nested, with holes in tables, and with empty ones among them; a few steps at a time.
TEST_F(ReleaseTest, TakesWhatPythonMakesApart) {
  const Bound bound(1h);
  for (const char* expression : {
           "[Counted() for _ in range(1000)]",
           "tuple(Counted() for _ in range(1000))",
           "tuple(Counted() for _ in range(3))",
           "{i: Counted() for i in range(1000)}",
           "{str(i): Counted() for i in range(1000)}",
           "{Counted(): i for i in range(1000)}",
           "{Counted() for i in range(1000)}",
           "[[Counted(), (Counted(), {'a': {Counted(), 1}})] for _ in range(100)]",
           "({Counted()}, [], (), {}, set(), [[[[Counted()]]]])",
           "(lambda d: ([d.pop(i) for i in range(0, 1000, 3)], d)[1])"
           "({i: Counted() for i in range(1000)})",
           "(lambda s: ([s.pop() for i in range(300)], s)[1])({Counted() for i in range(1000)})",
       }) {
    SCOPED_TRACE(expression);
    const Strong names = testing::run(
        "class Counted:\n"
        "  made = gone = 0\n"
        "  def __init__(self): Counted.made += 1\n"
        "  def __del__(self): Counted.gone += 1\n");
    Strong value = PyRun_String(expression, Py_eval_input, names.get(), names.get());
    ASSERT_TRUE(value);
    release(std::move(value));
    for (int drains = 0; queue().drain({.objects = 7, .time = 1h}).more; ++drains) {
      ASSERT_LT(drains, 100'000);
    }
    PyObject* counted = PyDict_GetItemString(names.get(), "Counted");
    EXPECT_EQ(PyLong_AsLong(testing::attribute(counted, "made").get()),
              PyLong_AsLong(testing::attribute(counted, "gone").get()));
  }
}

// Its callback sees a set that is whole, or none.
TEST_F(ReleaseTest, ASetWithAWeakReferenceDiesWhole) {
  const Strong names = testing::run(
      "import weakref\n"
      "seen = []\n"
      "s = {1, 2, 3}\n"
      "w = weakref.ref(s, lambda ref: seen.append(ref()))\n");
  Strong set = Py_NewRef(PyDict_GetItemString(names.get(), "s"));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "s"), 0);
  release(std::move(set));
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "seen")), "[None]");
}

TEST_F(ReleaseTest, LeavesWhatOthersHold) {
  const Bound bound(1h);
  const Strong shared = testing::evaluate("[[1, 2, 3], [1, 2, 3]]");
  release(PyTuple_Pack(2, shared.get(), shared.get()));
  queue().flush();
  EXPECT_EQ(testing::repr(shared.get()), "[[1, 2, 3], [1, 2, 3]]");
  EXPECT_EQ(Py_REFCNT(shared.get()), 1);
}

// By plain drops these would take the C stack, or CPython's trashcan; here not even memory.
TEST_F(ReleaseTest, ChainsNeedNoStack) {
  const Bound bound(1h);
  for (const char* link : {"x = (x, 1)", "x = [1, x]", "x = {'next': x}"}) {
    SCOPED_TRACE(link);
    const Strong names =
        testing::run(std::string("x = None\nfor i in range(300_000): ") + link + "\n");
    Strong chain = Py_NewRef(PyDict_GetItemString(names.get(), "x"));
    ASSERT_EQ(PyDict_DelItemString(names.get(), "x"), 0);
    release(std::move(chain));
    while (queue().drain({.objects = 10'000, .time = 1h}).more) {
      ASSERT_LE(queue().stats().dismantling, 2U);
    }
  }
}

// What is deferred is taken apart too if it is worth it.
TEST_F(ReleaseTest, DeferredGiantsAreDroppedALittleAtATime) {
  const Bound bound(1h);
  Deaths deaths;
  PyObject* const list = list_of(deaths.make(10'000)).release();
  on_another_thread([&] { queue().defer(list); });
  EXPECT_TRUE(queue().drain({.objects = 100, .time = 1h}).more);
  EXPECT_LE(deaths.count(), 100);
  queue().flush();
  EXPECT_EQ(deaths.count(), 10'000);
}

// By time as well, whatever else the machine does: of many drains most are as short as was asked.
TEST_F(ReleaseTest, DrainsOfGiantsAreShort) {
  const Bound bound(1h);
  release(testing::evaluate("[[] for i in range(500_000)]"));
  release(testing::evaluate("{i: {str(i)} for i in range(100_000)}"));
  std::vector<std::chrono::nanoseconds> times;
  for (bool more = true; more;) {
    const auto start = std::chrono::steady_clock::now();
    more = queue().drain({.time = 1ms}).more;
    times.push_back(std::chrono::steady_clock::now() - start);
  }
  ASSERT_GE(times.size(), 10U);
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], 3ms);
}

TEST_F(ReleaseTest, DestructorsMayReleaseAndDrain) {
  const Bound bound(1h);
  Deaths deaths;
  std::vector<PyObject*> objects;
  for (int i = 0; i < 10; ++i) {
    objects.push_back(testing::new_mortal([&] {
                        release(list_of(deaths.make(10)));
                        queue().defer(deaths.make().release());
                        EXPECT_EQ(queue().drain().objects, 0U);
                      }).release());
  }
  release(list_of(objects));
  queue().flush();
  EXPECT_EQ(deaths.count(), 110);
}

TEST_F(ReleaseTest, AChildGoesOnWithWhatIsLeft) {
  const Bound bound(1h);
  Deaths deaths;
  release(list_of(deaths.make(1000)));
  queue().drain({.objects = 300, .time = 1h});
  testing::expect_in_child([&] {
    queue().flush();
    EXPECT_EQ(deaths.count(), 1000);
  });
  queue().flush();
  EXPECT_EQ(deaths.count(), 1000);
}

TEST_F(ReleaseTest, AnInterpretersEndFinishesIt) {
  const Bound bound(1h);
  for (const auto gil : {testing::Gil::kOwn, testing::Gil::kShared}) {
    testing::Subinterpreter other(gil);
    std::optional<Deaths> deaths;
    other.run([&] {
      deaths.emplace();
      release(list_of(deaths->make(1000)));
      other.queue().drain({.objects = 10, .time = 1h});
    });
    other.end();
    EXPECT_EQ(deaths->count(), 1000);
    EXPECT_EQ(other.queue().stats().dismantling, 0U);
  }
}

TEST_F(ReleaseTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    release(testing::evaluate("[[i] for i in range(100)]"));
    release(testing::evaluate("{str(i): {i: (i,)} for i in range(100)}"));
    queue().flush();
  });
}

}  // namespace
}  // namespace tenure
