#include "tenure/core/decref_queue.h"

#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Deaths;
using testing::on_another_thread;

DecrefQueue& queue() { return *DecrefQueue::main(); }

void defer_all(const std::vector<PyObject*>& objects) {
  for (PyObject* object : objects) queue().defer(object);
}

class DecrefQueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    EXPECT_EQ(queue().stats().pending, 0U);
    testing::expect_balanced(queue());
  }

  // Nothing is done behind a test's back that takes less than this.
  const testing::Bound bound_{1h};
};

TEST_F(DecrefQueueTest, OneForEachInterpreter) {
  EXPECT_EQ(DecrefQueue::current(), DecrefQueue::current());
  EXPECT_EQ(DecrefQueue::main(), DecrefQueue::current());
  EXPECT_EQ(DecrefQueue::of(PyInterpreterState_Get()), DecrefQueue::current());
}

TEST_F(DecrefQueueTest, AllCanBeFound) {
  bool found = false;
  on_another_thread([&] {
    for (DecrefQueue* each = DecrefQueue::newest(); each != nullptr; each = each->next()) {
      found = found || each == DecrefQueue::main();
    }
  });
  EXPECT_TRUE(found);
}

TEST_F(DecrefQueueTest, DoesADeferredDecrefOnce) {
  const Strong list = PyList_New(0);
  const DeferStats before = queue().stats();
  Py_INCREF(list.get());
  on_another_thread([&] { queue().defer(list.get()); });
  EXPECT_EQ(Py_REFCNT(list.get()), 2) << "not by the thread that defers";
  EXPECT_TRUE(queue().has_pending());
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_EQ(queue().flush(), 0U);
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  const DeferStats after = queue().stats();
  EXPECT_EQ(after.pushed - before.pushed, 1U);
  EXPECT_EQ(after.drained - before.drained, 1U);
}

TEST_F(DecrefQueueTest, DestructorsRunAttachedToTheOwner) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(1000);
  on_another_thread([&] { defer_all(objects); });
  EXPECT_EQ(deaths.count(), 0);
  queue().flush();
  EXPECT_EQ(deaths.count(), 1000);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

TEST_F(DecrefQueueTest, DropsAtOnceWhereItIsAttached) {
  Deaths deaths;
  const DeferStats before = queue().stats();
  queue().drop(deaths.make().release());
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(queue().stats().pushed, before.pushed);
}

TEST_F(DecrefQueueTest, AnAttachedThreadMayDeferToo) {
  Deaths deaths;
  queue().defer(deaths.make().release());
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(deaths.count(), 1);
}

TEST_F(DecrefQueueTest, KeepsManyChunksInOrder) {
  constexpr int kCount = 3 * Lane::kSlots + 17;
  constexpr int kPushed = 500;
  constexpr int kDrained = 450;
  std::vector<int> order;
  order.reserve(kCount);
  int made = 0;
  // Never so many that the reaper is asked to help.
  while (made < kCount) {
    for (int i = 0; i < kPushed && made < kCount; ++i, ++made) {
      queue().defer(testing::new_mortal([&order, made] { order.push_back(made); }).release());
    }
    queue().drain({.objects = kDrained, .time = 1h});
  }
  queue().flush();
  ASSERT_EQ(order.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(order[i], i);
}

TEST_F(DecrefQueueTest, ABudgetOfObjectsEndsADrain) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(10);
  on_another_thread([&] { defer_all(objects); });
  const Drained some = queue().drain({.objects = 4, .time = 1h});
  EXPECT_EQ(some.objects, 4U);
  EXPECT_TRUE(some.more);
  EXPECT_EQ(deaths.count(), 4);
  const Drained rest = queue().drain({.objects = 100, .time = 1h});
  EXPECT_EQ(rest.objects, 6U);
  EXPECT_FALSE(rest.more);
}

TEST_F(DecrefQueueTest, ABudgetOfTimeEndsADrain) {
  int deaths = 0;
  std::vector<PyObject*> objects;
  for (int i = 0; i < 100; ++i) {
    objects.push_back(testing::new_mortal([&] {
                        ++deaths;
                        std::this_thread::sleep_for(1ms);
                      }).release());
  }
  on_another_thread([&] { defer_all(objects); });
  const Drained some = queue().drain({.time = 10ms});
  EXPECT_TRUE(some.more);
  EXPECT_GE(some.objects, 1U);
  EXPECT_LE(some.objects, 11U);
  EXPECT_EQ(queue().flush(), 100 - some.objects);
  EXPECT_EQ(deaths, 100);
}

TEST_F(DecrefQueueTest, AnEmptyBudgetDoesNothing) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(3);
  on_another_thread([&] { defer_all(objects); });
  EXPECT_TRUE(queue().drain({.objects = 0, .time = 1h}).more);
  EXPECT_TRUE(queue().drain({.time = 0ns}).more);
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().stats().pending, 3U);
}

TEST_F(DecrefQueueTest, NothingPendingIsNothingDone) {
  const Drained drained = queue().drain();
  EXPECT_EQ(drained.objects, 0U);
  EXPECT_FALSE(drained.more);
}

// A drain that always began with the same thread's would leave the others' for ever.
TEST_F(DecrefQueueTest, SmallBudgetsReachEveryThread) {
  Deaths first;
  Deaths second;
  const std::vector<PyObject*> of_first = first.make(100);
  const std::vector<PyObject*> of_second = second.make(100);
  {
    const Detach detach;
    // Both at once: a thread that comes later would go on with the lane of the first.
    std::thread other([&] {
      defer_all(of_first);
      std::thread([&] { defer_all(of_second); }).join();
    });
    other.join();
  }
  for (int i = 0; i < 10; ++i) queue().drain({.objects = 4, .time = 1h});
  EXPECT_GT(first.count(), 0);
  EXPECT_GT(second.count(), 0);
  EXPECT_EQ(first.count() + second.count(), 40);
}

TEST_F(DecrefQueueTest, AnErrorThatIsSetBeforeIsSetAfter) {
  Deaths deaths;
  PyObject* const object = deaths.make().release();
  on_another_thread([&] { queue().defer(object); });
  PyErr_SetString(PyExc_KeyError, "before");
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST_F(DecrefQueueTest, FlushDoesWhatDestructorsPush) {
  int deaths = 0;
  std::function<void()> again = [&] {
    if (++deaths < 20) queue().defer(testing::new_mortal(again).release());
  };
  queue().defer(testing::new_mortal(again).release());
  EXPECT_EQ(queue().flush(), 20U);
  EXPECT_EQ(deaths, 20);
}

TEST_F(DecrefQueueTest, FlushEndsWhenDestructorsPushForEver) {
  bool go_on = true;
  std::function<void()> again = [&] {
    if (go_on) queue().defer(testing::new_mortal(again).release());
  };
  queue().defer(testing::new_mortal(again).release());
  EXPECT_EQ(queue().flush(), static_cast<size_t>(DecrefQueue::kFlushRounds));
  EXPECT_EQ(queue().stats().pending, 1U);
  go_on = false;
  queue().flush();
}

TEST_F(DecrefQueueTest, CountsWhatIsDone) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(100);
  const DeferStats before = queue().stats();
  on_another_thread([&] { defer_all(objects); });
  DeferStats now = queue().stats();
  EXPECT_EQ(now.pushed - before.pushed, 100U);
  EXPECT_EQ(now.drained, before.drained);
  EXPECT_EQ(now.pending, 100U);
  EXPECT_EQ(now.leaked, before.leaked);
  testing::expect_balanced(queue());

  queue().drain({.objects = 30, .time = 1h});
  now = queue().stats();
  EXPECT_EQ(now.drained - before.drained, 30U);
  EXPECT_EQ(now.pending, 70U);
  EXPECT_EQ(now.drains - before.drains, 1U);
  testing::expect_balanced(queue());

  queue().flush();
  queue().flush();
  now = queue().stats();
  EXPECT_EQ(now.drained - before.drained, 100U);
  EXPECT_EQ(now.drains - before.drains, 2U) << "one that finds nothing is not counted";
  EXPECT_EQ(now.pending_calls, before.pending_calls);
  EXPECT_EQ(now.reaper_drains, before.reaper_drains);
}

TEST_F(DecrefQueueTest, CountsTheMostThatWerePending) {
  const uint64_t most = queue().stats().high_water;
  Deaths deaths;
  std::vector<PyObject*> objects = deaths.make(most + 10);
  on_another_thread([&] { defer_all(objects); });
  queue().flush();
  EXPECT_EQ(queue().stats().high_water, most + 10);
  objects = deaths.make(5);
  on_another_thread([&] { defer_all(objects); });
  queue().flush();
  EXPECT_EQ(queue().stats().high_water, most + 10);
}

TEST_F(DecrefQueueTest, TimesTheLongestDrain) {
  const auto longer =
      std::chrono::nanoseconds(queue().stats().longest_drain_ns) + std::chrono::milliseconds(5);
  PyObject* const slow =
      testing::new_mortal([&] { std::this_thread::sleep_for(longer); }).release();
  on_another_thread([&] { queue().defer(slow); });
  queue().flush();
  const uint64_t longest = queue().stats().longest_drain_ns;
  EXPECT_GE(longest, static_cast<uint64_t>(longer.count()));
  Deaths deaths;
  PyObject* const quick = deaths.make().release();
  on_another_thread([&] { queue().defer(quick); });
  queue().flush();
  EXPECT_EQ(queue().stats().longest_drain_ns, longest);
}

TEST_F(DecrefQueueTest, LeakingIsCounted) {
  Deaths deaths;
  Strong object = deaths.make();
  const DeferStats before = queue().stats();
  Py_INCREF(object.get());
  on_another_thread([&] { queue().drop(object.get(), WhenDetached::kLeak); });
  queue().flush();
  EXPECT_EQ(Py_REFCNT(object.get()), 2);
  Py_DECREF(object.get());
  const DeferStats after = queue().stats();
  EXPECT_EQ(after.pushed - before.pushed, 1U);
  EXPECT_EQ(after.leaked - before.leaked, 1U);
  EXPECT_EQ(after.pending, 0U);
}

TEST_F(DecrefQueueTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    std::vector<PyObject*> objects;
    for (int i = 0; i < 100; ++i) objects.push_back(PyList_New(3));
    on_another_thread([&] { defer_all(objects); });
    queue().flush();
  });
}

}  // namespace
}  // namespace tenure
