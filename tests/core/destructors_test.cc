// What destructors may do inside a drain: anything. No lock is held while they run.

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Deaths;
using testing::eventually;
using testing::Gil;
using testing::new_mortal;
using testing::on_another_thread;
using testing::Subinterpreter;

DecrefQueue& queue() { return *DecrefQueue::main(); }

class DestructorsTest : public ::testing::Test {
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

  // Defers an object that does this when it dies.
  static void defer(std::function<void()> at_death) {
    PyObject* const object = new_mortal(std::move(at_death)).release();
    on_another_thread([&] { queue().defer(object); });
  }

  const testing::Bound bound_{1h};
};

TEST_F(DestructorsTest, MayPush) {
  Deaths deaths;
  defer([&] { queue().defer(deaths.make().release()); });
  const Drained drained = queue().drain();
  EXPECT_EQ(drained.objects, 1U);
  EXPECT_TRUE(drained.more) << "left for the next drain";
  EXPECT_EQ(queue().drain().objects, 1U);
  EXPECT_EQ(deaths.count(), 1);
}

// Into the chunk that is being read, past its end, and more than one chunk.
TEST_F(DestructorsTest, MayPushALot) {
  constexpr int kCount = 3 * Lane::kSlots;
  Deaths deaths;
  queue().defer(new_mortal([&] {
                  for (PyObject* object : deaths.make(kCount)) queue().defer(object);
                }).release());
  queue().flush();
  EXPECT_EQ(deaths.count(), kCount);
}

TEST_F(DestructorsTest, MayDrainWhichDoesNothing) {
  Deaths deaths;
  Drained nested;
  size_t flushed = 99;
  int seen = -1;
  defer([&] {
    nested = queue().drain();
    flushed = queue().flush();
    seen = deaths.count();
  });
  PyObject* const next = deaths.make().release();
  on_another_thread([&] { queue().defer(next); });
  EXPECT_EQ(queue().flush(), 2U);
  EXPECT_EQ(nested.objects, 0U);
  EXPECT_TRUE(nested.more);
  EXPECT_EQ(flushed, 0U);
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(deaths.count(), 1);
}

TEST_F(DestructorsTest, MayAskForStatistics) {
  DeferStats inside;
  defer([&] { inside = queue().stats(); });
  const uint64_t pushed = queue().stats().pushed;
  queue().flush();
  EXPECT_EQ(inside.pushed, pushed);
  EXPECT_EQ(inside.pending, 0U);
}

TEST_F(DestructorsTest, MayRaiseInPython) {
  const Strong names = testing::run(
      "class Sample:\n"
      "  def __del__(self): raise KeyError('said by a destructor')\n"
      "reports = []\n"
      "sys.unraisablehook = lambda report: reports.append(report.exc_type.__name__)\n");
  Deaths deaths;
  PyObject* const raises = PyObject_CallNoArgs(PyDict_GetItemString(names.get(), "Sample"));
  PyObject* const next = deaths.make().release();
  on_another_thread([&] {
    queue().defer(raises);
    queue().defer(next);
  });
  EXPECT_EQ(queue().flush(), 2U);
  EXPECT_EQ(PyErr_Occurred(), nullptr);
  EXPECT_EQ(deaths.count(), 1);
  const Strong restored =
      testing::evaluate("setattr(sys, 'unraisablehook', sys.__unraisablehook__)");
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "reports")), "['KeyError']");
}

#ifndef Py_DEBUG  // where the interpreter itself ends the process for it
TEST_F(DestructorsTest, MayLeaveAnErrorSetInC) {
  const Strong names = testing::run(
      "reports = []\n"
      "sys.unraisablehook = lambda report: reports.append(report.exc_type.__name__)\n");
  Deaths deaths;
  PyObject* const raises =
      new_mortal([] { PyErr_SetString(PyExc_ValueError, "left behind"); }).release();
  bool is_clear = false;
  PyObject* const looks = new_mortal([&] { is_clear = PyErr_Occurred() == nullptr; }).release();
  on_another_thread([&] {
    queue().defer(raises);
    queue().defer(looks);
  });
  PyErr_SetString(PyExc_KeyError, "set before the drain");
  EXPECT_EQ(queue().flush(), 2U);
  EXPECT_TRUE(is_clear);
  EXPECT_EQ(testing::take_error(), "KeyError");
  const Strong restored =
      testing::evaluate("setattr(sys, 'unraisablehook', sys.__unraisablehook__)");
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "reports")), "['ValueError']");
}
#endif

// Another thread goes on with the rest in the middle of a drain.
TEST_F(DestructorsTest, MayLetAnotherThreadDrain) {
  Deaths deaths;
  Drained by_other;
  queue().defer(new_mortal([&] {
                  const Detach detach;
                  std::thread([&] {
                    const Attach attach(queue().gate());
                    by_other = queue().drain({.time = 1h});
                  }).join();
                }).release());
  const std::vector<PyObject*> rest = deaths.make(3 * Lane::kSlots);
  for (PyObject* object : rest) queue().defer(object);
  // The reaper, which so many hurry, may be first where this thread detaches.
  const size_t here = queue().drain({.time = 1h}).objects;
  EXPECT_EQ(here, 1U);
  EXPECT_FALSE(by_other.more);
  EXPECT_TRUE(eventually([&] { return deaths.count() == static_cast<int>(rest.size()); }));
}

TEST_F(DestructorsTest, MayLetThreadsTakeTurns) {
  constexpr int kObjects = 400;
  std::atomic<int> deaths{0};
  for (int i = 0; i < kObjects; ++i) {
    queue().defer(new_mortal([&] {
                    const Detach detach;
                    std::this_thread::yield();
                    ++deaths;
                  }).release());
  }
  {
    const Detach detach;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (deaths < kObjects) {
          const Attach attach(queue().gate());
          queue().drain({.objects = 5});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(deaths, kObjects);
}

TEST_F(DestructorsTest, MayStartAndJoinThreadsThatPush) {
  Deaths deaths;
  defer([&] {
    const std::vector<PyObject*> objects = deaths.make(40);
    const Detach detach;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) queue().defer(objects[10 * t + i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  queue().flush();
  EXPECT_EQ(deaths.count(), 40);
}

TEST_F(DestructorsTest, MayCollectGarbageAndRunPython) {
  defer([&] {
    const Strong ran = testing::run(
        "import gc\n"
        "class Cycle: pass\n"
        "for i in range(50):\n"
        "  a = Cycle(); a.me = a\n"
        "gc.collect()\n"
        "len(gc.get_objects())\n");
  });
  EXPECT_EQ(queue().flush(), 1U);
}

TEST_F(DestructorsTest, MayAttachToAnotherInterpreter) {
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    Subinterpreter other(gil);
    Deaths here;
    bool was_there = false;
    bool came_back = false;
    PyThreadState* const state = PyThreadState_Get();
    defer([&] {
      PyObject* const mine = here.make().release();
      {
        const Attach attach(other.queue().gate());
        ASSERT_TRUE(attach);
        was_there = is_attached_to(other.interpreter());
        queue().drop(mine);
      }
      came_back = PyThreadState_Get() == state;
    });
    queue().flush();
    EXPECT_TRUE(was_there);
    EXPECT_TRUE(came_back);
    EXPECT_EQ(here.count(), 1) << "deferred there, done here";
    EXPECT_EQ(here.elsewhere(), 0);
  }
}

// A drain of one queue is none of another's: nested, but not refused.
TEST_F(DestructorsTest, MayDrainAnotherInterpretersQueue) {
  Subinterpreter other(Gil::kOwn);
  std::optional<Deaths> there;
  PyObject* object = nullptr;
  other.run([&] {
    there.emplace();
    object = there->make().release();
  });
  other.queue().defer(object);
  size_t done = 0;
  defer([&] {
    const Attach attach(other.queue().gate());
    ASSERT_TRUE(attach);
    done = other.queue().flush();
  });
  queue().flush();
  EXPECT_EQ(done, 1U);
  EXPECT_EQ(there->count(), 1);
}

TEST_F(DestructorsTest, MayMakeAQueueForANewInterpreter) {
  const DecrefQueue* made = nullptr;
  defer([&] {
    Subinterpreter other(Gil::kOwn);
    made = &other.queue();
  });
  queue().flush();
  ASSERT_NE(made, nullptr);
  EXPECT_NE(made, &queue());
  EXPECT_TRUE(made->is_finished());
}

// It ends inside a drain, of another queue, and is drained all the same.
TEST_F(DestructorsTest, MayEndAnInterpreterInWhichDecrefsArePending) {
  std::optional<Deaths> there;
  const DecrefQueue* made = nullptr;
  defer([&] {
    Subinterpreter other(Gil::kOwn);
    made = &other.queue();
    std::vector<PyObject*> objects;
    other.run([&] {
      there.emplace();
      objects = there->make(10);
    });
    for (PyObject* object : objects) other.queue().defer(object);
  });
  queue().flush();
  ASSERT_NE(made, nullptr);
  testing::expect_balanced(*made);
  EXPECT_EQ(there->count(), 10);
  EXPECT_EQ(made->stats().leaked, 0U);
}

TEST_F(DestructorsTest, MayDropTheirOwnKindManyTimesOver) {
  // Each drops the next attached, which is no drain and goes as deep as the stack; but through the
  // queue there is no depth at all.
  int deaths = 0;
  std::function<void()> next = [&] {
    if (++deaths < 100'000) queue().defer(new_mortal(next).release());
  };
  queue().defer(new_mortal(next).release());
  while (queue().has_pending() && queue().drain({.time = 1h}).more) {
  }
  EXPECT_EQ(deaths, 100'000);
}

}  // namespace
}  // namespace tenure
