// release_when_unused(): objects that are taken apart when their last user is gone.
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;

class ReleaseTest : public ::testing::Test {
 protected:
  // The reaper stays out of it, but where it is meant.
  void SetUp() override { testing::fall_idle(queue()); }
  void TearDown() override { testing::fall_idle(queue()); }
  static DecrefQueue& queue() { return *DecrefQueue::current(); }

 private:
  const Bound bound_{1h};
};

Strong list_of(Deaths& deaths, int count) {
  Strong list = PyList_New(0);
  for (int i = 0; i < count; ++i) {
    const Strong one = deaths.make();
    EXPECT_EQ(PyList_Append(list.get(), one.get()), 0);
  }
  return list;
}

TEST_F(ReleaseTest, TakesApartWhatNobodyUsesAnyMore) {
  Deaths deaths;
  Strong list = list_of(deaths, 100);
  queue().release_when_unused(Py_NewRef(list.get()));
  queue().drain();
  EXPECT_EQ(deaths.count(), 0) << "it is in use";
  EXPECT_EQ(PyList_Size(list.get()), 100);
  EXPECT_EQ(queue().stats().dismantling, 1U);

  list = nullptr;
  EXPECT_EQ(deaths.count(), 0) << "the last user has nothing to do";
  for (int i = 1; i <= 9; ++i) {
    EXPECT_TRUE(queue().drain({.objects = 10, .time = 1h}).more);
    EXPECT_LE(deaths.count(), 10 * i);
    EXPECT_GT(deaths.count(), 10 * (i - 2));
  }
  queue().flush();
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(queue().stats().dismantling, 0U);
}

TEST_F(ReleaseTest, TakesAnyKindOfObject) {
  Deaths deaths;
  Strong box = testing::evaluate("type('Box', (), {})()");
  const Strong list = list_of(deaths, 50);
  ASSERT_EQ(PyObject_SetAttrString(box.get(), "list", list.get()), 0);
  queue().release_when_unused(std::move(box).release());
  queue().release_when_unused(testing::evaluate("10 ** 100").release());
  queue().release_when_unused(Py_NewRef(Py_None));
  queue().flush();
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_EQ(deaths.count(), 0);
}

TEST_F(ReleaseTest, OneObjectManyTimes) {
  Deaths deaths;
  Strong list = list_of(deaths, 10);
  for (int i = 0; i < 5; ++i) queue().release_when_unused(Py_NewRef(list.get()));
  EXPECT_EQ(queue().stats().dismantling, 1U);
  list = nullptr;
  queue().flush();
  EXPECT_EQ(deaths.count(), 10);
}

TEST_F(ReleaseTest, DoesNotKeepCyclesAlive) {
  Deaths deaths;
  Strong list = list_of(deaths, 10);
  ASSERT_EQ(PyList_Append(list.get(), list.get()), 0);
  queue().release_when_unused(std::move(list).release(), 1s);
  queue().flush();
  PyGC_Collect();
  EXPECT_EQ(deaths.count(), 0);
  std::this_thread::sleep_for(1s);
  queue().flush();
  EXPECT_EQ(queue().stats().dismantling, 0U);
  PyGC_Collect();
  EXPECT_EQ(deaths.count(), 10);
}

TEST_F(ReleaseTest, MoreThanCanWait) {
  Deaths deaths;
  std::vector<Strong> lists;
  for (int i = 0; i < 5000; ++i) {
    lists.push_back(list_of(deaths, 1));
    queue().release_when_unused(Py_NewRef(lists.back().get()));
  }
  const uint64_t waiting = queue().stats().dismantling;
  EXPECT_GT(waiting, 1000U);
  EXPECT_LT(waiting, 5000U);
  lists.clear();
  EXPECT_EQ(deaths.count(), static_cast<int>(5000 - waiting));
  queue().flush();
  EXPECT_EQ(deaths.count(), 5000);
}

TEST_F(ReleaseTest, NobodyHasToCall) {
  const Bound short_bound(20ms);
  Deaths deaths;
  Strong list = list_of(deaths, 1000);
  queue().release_when_unused(Py_NewRef(list.get()));
  {
    const Detach detach;
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_EQ(deaths.count(), 0);
  list = nullptr;
  const auto done = [&] { return deaths.count() == 1000; };
  if (abi::kFreeThreaded) {
    // Only the thread that made an object can tell that it is not used any more.
    EXPECT_TRUE(testing::eventually([&] {
      testing::settle();
      return done();
    }));
  } else {
    EXPECT_TRUE(testing::eventually_detached(done));
  }
}

TEST_F(ReleaseTest, ChildrenOfAForkGoOnByThemselves) {
  Deaths deaths;
  Strong list = list_of(deaths, 100);
  queue().release_when_unused(Py_NewRef(list.get()));
  testing::expect_in_child([&] {
    list = nullptr;
    queue().flush();
    EXPECT_EQ(deaths.count(), 100);
  });
  EXPECT_EQ(deaths.count(), 0);
}

}  // namespace
}  // namespace tenure
