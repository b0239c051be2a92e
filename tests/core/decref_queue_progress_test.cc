// Deferred decrefs are done in time although no thread attaches to do them.

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::Bound;
using testing::Deaths;
using testing::eventually_detached;
using testing::Gil;
using testing::on_another_thread;
using testing::Subinterpreter;

// How much later than the bound a loaded machine may be.
constexpr auto kSlack = 950ms;

DecrefQueue& queue() { return *DecrefQueue::main(); }

class DecrefQueueProgressTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    testing::expect_balanced(queue());
  }
};

TEST_F(DecrefQueueProgressTest, APendingCallDrainsWhilePythonRuns) {
  const Bound bound(50ms);
  const DeferStats before = queue().stats();
  Deaths deaths;
  PyObject* const object = deaths.make().release();
  std::atomic<bool> on_main{false};
  const auto main_thread = std::this_thread::get_id();
  PyObject* const witness =
      testing::new_mortal([&] { on_main = std::this_thread::get_id() == main_thread; }).release();
  on_another_thread([&] {
    queue().defer(object);
    queue().defer(witness);
  });
  const Strong ran =
      testing::run("import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\n");
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(deaths.elsewhere(), 0);
  EXPECT_TRUE(on_main);
  EXPECT_GT(queue().stats().pending_calls, before.pending_calls);
}

TEST_F(DecrefQueueProgressTest, TheReaperDrainsWhileTheMainThreadIsInC) {
  const Bound bound(50ms);
  const DeferStats before = queue().stats();
  Deaths deaths;
  PyObject* const object = deaths.make().release();
  on_another_thread([&] { queue().defer(object); });
  EXPECT_TRUE(eventually_detached([&] { return deaths.count() == 1; }, 50ms + kSlack));
  EXPECT_EQ(deaths.elsewhere(), 0);
  EXPECT_GT(queue().stats().reaper_drains, before.reaper_drains);
}

TEST_F(DecrefQueueProgressTest, TheReaperDrainsASubinterpreterToWhichNobodyIsAttached) {
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    const Bound bound(50ms);
    Subinterpreter other(gil);
    PyObject* object = nullptr;
    std::optional<Deaths> deaths;
    other.run([&] {
      deaths.emplace();
      object = deaths->make().release();
    });
    other.queue().drop(object);  // attached, but elsewhere
    EXPECT_EQ(deaths->count(), 0);
    EXPECT_TRUE(eventually_detached([&] { return deaths->count() == 1; }, 50ms + kSlack));
    EXPECT_EQ(deaths->elsewhere(), 0);
    EXPECT_TRUE(testing::drained_by_others(other.queue()));
    testing::expect_balanced(other.queue());
  }
}

// One interpreter whose GIL is held must not hold up another.
TEST_F(DecrefQueueProgressTest, ABusyInterpreterHoldsUpNoOther) {
  const Bound bound(50ms);
  Subinterpreter other(Gil::kOwn);
  Deaths here;
  std::optional<Deaths> there;
  PyObject* object = nullptr;
  other.run([&] {
    there.emplace();
    object = there->make().release();
  });
  queue().defer(here.make().release());
  other.queue().defer(object);
  // This thread keeps the GIL, so the other interpreter's reaper has to manage alone.
  EXPECT_TRUE(testing::eventually([&] { return there->count() == 1; }, 50ms + kSlack));
#ifndef Py_GIL_DISABLED
  EXPECT_EQ(here.count(), 0);
#endif
  EXPECT_TRUE(eventually_detached([&] { return here.count() == 1; }, 50ms + kSlack));
}

TEST_F(DecrefQueueProgressTest, HoldsTheBoundAgainAndAgain) {
  const Bound bound(50ms);
  Deaths deaths;
  for (int i = 1; i <= 5; ++i) {
    PyObject* const object = deaths.make().release();
    on_another_thread([&] { queue().defer(object); });
    EXPECT_TRUE(eventually_detached([&] { return deaths.count() == i; }, 50ms + kSlack)) << i;
  }
}

TEST_F(DecrefQueueProgressTest, ALongBoundLeavesTimeToOthers) {
  const Bound bound(10s);
  Deaths deaths;
  PyObject* const object = deaths.make().release();
  on_another_thread([&] { queue().defer(object); });
  EXPECT_FALSE(eventually_detached([&] { return deaths.count() > 0; }, 300ms));
  EXPECT_EQ(queue().flush(), 1U);
}

TEST_F(DecrefQueueProgressTest, AFullChunkIsNotLeftForTheBound) {
  const Bound bound(1h);
  constexpr size_t kCount = 3 * Lane::kSlots;
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(kCount);
  on_another_thread([&] {
    for (PyObject* object : objects) queue().defer(object);
  });
  // What is not worth hurrying for may wait.
  EXPECT_TRUE(
      eventually_detached([&] { return deaths.count() >= static_cast<int>(Lane::kSlots); }));
}

TEST_F(DecrefQueueProgressTest, ANewBoundHoldsForWhatIsDeferredAfterIt) {
  Deaths deaths;
  {
    const Bound bound(40s);
    PyObject* const object = deaths.make().release();
    on_another_thread([&] { queue().defer(object); });
    // The reaper has begun to wait for a part of the old bound.
    eventually_detached([] { return false; }, 50ms);
    EXPECT_EQ(queue().flush(), 1U);
  }
  const Bound bound(50ms);
  PyObject* const object = deaths.make().release();
  on_another_thread([&] { queue().defer(object); });
  EXPECT_TRUE(eventually_detached([&] { return deaths.count() == 2; }, 50ms + kSlack));
}

TEST_F(DecrefQueueProgressTest, TheBoundHasALeast) {
  const Bound bound(0ns);
  EXPECT_EQ(DecrefQueue::bound(), 1ms);
  DecrefQueue::set_bound(3s);
  EXPECT_EQ(DecrefQueue::bound(), 3s);
}

TEST_F(DecrefQueueProgressTest, FallsIdleEachTime) {
  const Bound bound(4ms);
  for (int round = 0; round < 10; ++round) {
    Deaths deaths;
    PyObject* const object = deaths.make().release();
    on_another_thread([&] { queue().defer(object); });
    // A loaded machine may come back here when the reaper is done, and the queue idle again.
    EXPECT_TRUE(queue().has_pending() || deaths.count() == 1) << round;
    queue().flush();
    EXPECT_TRUE(eventually_detached([] { return !queue().has_pending(); })) << round;
    EXPECT_EQ(deaths.count(), 1);
  }
}

TEST_F(DecrefQueueProgressTest, ABacklogIsDoneInPieces) {
  const Bound bound(20ms);
  constexpr int kCount = 200'000;
  const Strong list = PyList_New(0);
  const DeferStats before = queue().stats();
  for (int i = 0; i < kCount; ++i) Py_INCREF(list.get());
  on_another_thread([&] {
    for (int i = 0; i < kCount; ++i) queue().defer(list.get());
  });
  EXPECT_TRUE(testing::drained_by_others(queue()));
  testing::settle();
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_EQ(queue().stats().drained - before.drained, static_cast<uint64_t>(kCount));
}

// The gap that matters is between "lower" and "look again": producers push one at a time, about
// when the reaper of each queue lowers its signal, and whatever was pushed then must be done with
// no later push to help it.
TEST_F(DecrefQueueProgressTest, NothingIsStrandedWhenTheQueueFallsIdle) {
  constexpr int kQueues = 6;
  constexpr int kPushes = 2'500;
  const Bound bound(1ms);
  std::vector<std::unique_ptr<Subinterpreter>> interpreters;
  for (int i = 0; i < kQueues; ++i) {
    // Where there is no main thread to ask, the reaper takes the least time.
    interpreters.push_back(std::make_unique<Subinterpreter>(Gil::kOwn));
  }
  std::atomic<int> raised{0};
  std::atomic<int> stranded{0};
  auto produce = [&](DecrefQueue& to, unsigned seed) {
    std::minstd_rand random(seed);
    std::uniform_int_distribution<int> pause_us(0, 700);
    for (int i = 0; i < kPushes && stranded == 0; ++i) {
      if (!to.has_pending()) ++raised;
      to.defer(Py_None);
      const auto is_done = [&] { return to.stats().pending == 0; };
      if (!testing::eventually(is_done, testing::kPatience)) ++stranded;
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us(random)));
    }
  };
  {
    const Detach detach;
    std::vector<std::thread> producers;
    for (int i = 0; i < kQueues; ++i) {
      producers.emplace_back([&, i] { produce(interpreters[i]->queue(), i + 1); });
    }
    for (std::thread& producer : producers) producer.join();
  }
  EXPECT_EQ(stranded, 0);
  EXPECT_GT(raised, kQueues * kPushes / 10) << "it hardly ever fell idle: this tested nothing";
  for (const auto& interpreter : interpreters) {
    EXPECT_EQ(interpreter->queue().stats().drained, static_cast<uint64_t>(kPushes));
    testing::expect_balanced(interpreter->queue());
  }
}

}  // namespace
}  // namespace tenure
