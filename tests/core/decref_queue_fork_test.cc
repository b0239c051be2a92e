// A forked child has what was pending, does it once with its own copies of the objects, and goes on
// like any other process.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
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
using testing::Bound;
using testing::Deaths;
using testing::eventually_detached;
using testing::expect_in_child;
using testing::Gil;
using testing::on_another_thread;
using testing::Subinterpreter;

DecrefQueue& queue() { return *DecrefQueue::main(); }

class DecrefQueueForkTest : public ::testing::Test {
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

  static void defer_all(const std::vector<PyObject*>& objects) {
    on_another_thread([&] {
      for (PyObject* object : objects) queue().defer(object);
    });
  }

  // That a process can do all there is to do.
  static void expect_works() {
    testing::expect_balanced(queue());
    Deaths deaths;
    defer_all(deaths.make(10));
    queue().flush();
    EXPECT_TRUE(eventually_detached([&] { return deaths.count() == 10; }));
    expect_progress();
    testing::expect_balanced(queue());
  }

  // By a reaper of its own.
  static void expect_progress() {
    const Bound bound(20ms);
    for (int i = 0; i < 3; ++i) {
      Deaths deaths;
      defer_all(deaths.make(1));
      EXPECT_TRUE(eventually_detached([&] { return deaths.count() == 1; }, 10s)) << "round " << i;
      EXPECT_EQ(deaths.elsewhere(), 0);
    }
  }
};

TEST_F(DecrefQueueForkTest, WhatWasPendingIsDoneOnceInEach) {
  for (const int count : {1, 2 * static_cast<int>(Lane::kSlots) + 5}) {
    const Bound bound(1h);
    Deaths deaths;
    defer_all(deaths.make(count));
    expect_in_child([&] {
      queue().flush();
      EXPECT_EQ(deaths.count(), count);
      EXPECT_EQ(queue().stats().pending, 0U);
      expect_works();
      EXPECT_EQ(deaths.count(), count);
    });
    queue().flush();
    EXPECT_EQ(deaths.count(), count);
  }
}

// Before anybody asks for it: the child has its first chance when it is forked.
TEST_F(DecrefQueueForkTest, TheChildDrainsWhenItIsForked) {
  const Bound bound(1h);
  Deaths deaths;
  defer_all(deaths.make(5));
  expect_in_child([&] { EXPECT_EQ(deaths.count(), 5); });
  EXPECT_EQ(deaths.count(), 0);
}

TEST_F(DecrefQueueForkTest, TheChildMakesProgressByItself) {
  const Bound bound(1h);
  // With nothing ever pending, with the queue up but empty, and with something pending.
  expect_in_child([] { expect_progress(); });
  defer_all({Py_NewRef(Py_None)});
  queue().flush();
  EXPECT_TRUE(queue().has_pending());
  expect_in_child([] { expect_progress(); });
  defer_all({Py_NewRef(Py_None)});
  expect_in_child([] { expect_progress(); });
}

TEST_F(DecrefQueueForkTest, TheChildFallsIdle) {
  const Bound bound(1h);
  defer_all({Py_NewRef(Py_None)});
  expect_in_child([] {
    const Bound soon(1ms);
    queue().flush();
    EXPECT_TRUE(eventually_detached([] { return !queue().has_pending(); }));
  });
}

TEST_F(DecrefQueueForkTest, AQueueWithNothingToDoNeedsNoThreadInTheChild) {
  expect_in_child([] { EXPECT_EQ(testing::count_threads(), 1); });
}

TEST_F(DecrefQueueForkTest, AForkOfAFork) {
  const Bound bound(1h);
  Deaths deaths;
  defer_all(deaths.make(3));
  expect_in_child([&] {
    defer_all(deaths.make(4));
    expect_in_child([&] {
      queue().flush();
      EXPECT_EQ(deaths.count(), 7);
      expect_works();
    });
    queue().flush();
    EXPECT_EQ(deaths.count(), 7);
    expect_works();
  });
  queue().flush();
  EXPECT_EQ(deaths.count(), 3);
}

// Producers and the reaper are anywhere in what they do when they are forked away.
TEST_F(DecrefQueueForkTest, ForksWhileEverybodyIsBusy) {
  const Bound bound(1ms);
  constexpr int kProducers = 4;
  constexpr int kForks = 40;
  const Strong list = PyList_New(0);
  // One reference for each push, given out beforehand: increfs need the GIL.
  constexpr int kEach = 400'000;
  std::atomic<bool> is_done{false};
  std::atomic<int> pushed{0};
  std::vector<std::thread> producers;
  for (int i = 0; i < kProducers * kEach; ++i) Py_INCREF(list.get());
  producers.reserve(kProducers);
  for (int t = 0; t < kProducers; ++t) {
    producers.emplace_back([&, t] {
      int i = 0;
      for (; i < kEach && !is_done; ++i) {
        queue().defer(list.get());
        // Some fall idle in between.
        if (t % 2 == 0) std::this_thread::sleep_for(100us);
      }
      pushed += i;
    });
  }
  for (int i = 0; i < kForks; ++i) {
    SCOPED_TRACE(i);
    expect_in_child([&] {
      queue().flush();
      testing::expect_balanced(queue());
      EXPECT_EQ(queue().stats().pending, 0U);
      if (i % 8 == 0) expect_works();
    });
    queue().drain({.objects = 1000});
  }
  is_done = true;
  {
    const Detach detach;
    for (std::thread& producer : producers) producer.join();
  }
  queue().flush();
  testing::settle();
  EXPECT_EQ(Py_REFCNT(list.get()), 1 + kProducers * kEach - pushed);
  Py_SET_REFCNT(list.get(), 1);
}

// The thread that drains is not in the child, and the object that it was dropping never gets there.
TEST_F(DecrefQueueForkTest, ADrainThatAForkTakesAwayIsAccountedFor) {
  for (const bool by_reaper : {false, true}) {
    SCOPED_TRACE(by_reaper);
    const Bound bound(by_reaper ? std::chrono::nanoseconds(10ms) : 1h);
    Deaths deaths;
    std::atomic<bool> is_inside{false};
    std::atomic<bool> may_go_on{false};
    std::atomic<bool> ended{false};
    queue().defer(testing::new_mortal([&] {
                    const Detach detach;
                    is_inside = true;
                    testing::eventually([&] { return may_go_on.load(); });
                    ended = true;
                  }).release());
    for (PyObject* object : deaths.make(5)) queue().defer(object);
    std::thread drainer([&] {
      if (by_reaper) return;
      const Attach attach(queue().gate());
      queue().flush();
    });
    ASSERT_TRUE(eventually_detached([&] { return is_inside.load(); }));
    expect_in_child([&] {
      queue().flush();
      EXPECT_EQ(deaths.count(), 5);
      testing::expect_balanced(queue());
      EXPECT_EQ(queue().stats().pending, 0U);
      expect_works();
    });
    may_go_on = true;
    {
      const Detach detach;
      drainer.join();
    }
    EXPECT_TRUE(eventually_detached([&] { return ended.load(); }));
    EXPECT_TRUE(eventually_detached([&] { return deaths.count() == 5; }));
  }
}

// CPython up to 3.15 crashes in the child of os.fork() while there are other interpreters, so
// this is fork() in C; the thread that forks keeps the main interpreter's GIL.
TEST_F(DecrefQueueForkTest, OtherInterpretersAreGoneInTheChild) {
  const Bound bound(1h);
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    Subinterpreter other(gil);
    std::optional<Deaths> there;
    std::vector<PyObject*> objects;
    other.run([&] {
      there.emplace();
      objects = there->make(10);
    });
    Deaths here;
    for (int i = 0; i < 5; ++i) other.queue().defer(objects[i]);
    defer_all(here.make(5));
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      const DeferStats stats = other.queue().stats();
      EXPECT_TRUE(other.queue().is_finished());
      EXPECT_EQ(stats.pending, 0U);
      EXPECT_EQ(stats.leaked, 5U);
      testing::expect_balanced(other.queue());
      // What refers to them may still be dropped, here and on any thread.
      for (int i = 5; i < 10; ++i) other.queue().drop(objects[i]);
      std::thread([&] {
        const Attach attach(other.queue().gate());
        EXPECT_FALSE(attach);
        for (size_t i = 0; i < 3 * Lane::kSlots; ++i) other.queue().defer(Py_None);
      }).join();
      EXPECT_EQ(other.queue().stats().leaked, 10U + 3 * Lane::kSlots);
      testing::expect_balanced(other.queue());
      EXPECT_EQ(there->count(), 0);
      EXPECT_EQ(queue().flush(), 5U);
      EXPECT_EQ(here.count(), 5);
      testing::end_child();
    }
    EXPECT_TRUE(testing::ended_well(child));
    EXPECT_EQ(there->count(), 0);
    other.run([&] { other.queue().flush(); });
    EXPECT_EQ(there->count(), 5);
    for (int i = 5; i < 10; ++i) other.queue().defer(objects[i]);
    other.end();
    EXPECT_EQ(there->count(), 10);
    queue().flush();
  }
}

TEST_F(DecrefQueueForkTest, TheChildMayMakeInterpretersOfItsOwn) {
  expect_in_child([] {
    Subinterpreter other(Gil::kOwn);
    std::optional<Deaths> there;
    PyObject* object = nullptr;
    other.run([&] {
      there.emplace();
      object = there->make().release();
    });
    const Bound bound(20ms);
    on_another_thread([&] { other.queue().defer(object); });
    EXPECT_TRUE(eventually_detached([&] { return there->count() == 1; }));
  });
}

// fork() without Python's part in it, as before exec().
TEST_F(DecrefQueueForkTest, AForkInCThatExecutes) {
  const Bound bound(1ms);
  Deaths deaths;
  defer_all(deaths.make(100));
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/true", "true", static_cast<char*>(nullptr));
      _exit(1);
    }
    EXPECT_TRUE(testing::ended_well(child));
  }
  queue().flush();
  EXPECT_EQ(deaths.count(), 100);
}

TEST_F(DecrefQueueForkTest, SubprocessesOfEveryKind) {
  const Bound bound(1ms);
  Deaths deaths;
  std::atomic<bool> is_done{false};
  std::thread producer([&] {
    while (!is_done) {
      queue().defer(Py_None);
      std::this_thread::sleep_for(50us);
    }
  });
  const Strong ran = testing::run(
      "import os, subprocess\n"
      "for i in range(5):\n"
      "  subprocess.run(['/bin/true'], check=True)\n"
      "  subprocess.run(['/bin/true'], check=True, close_fds=False)\n"
      "  subprocess.run(['/bin/true'], check=True, preexec_fn=lambda: None)\n"
      "  assert os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)[1] == 0\n"
      "  assert os.system('true') == 0\n");
  is_done = true;
  const Detach detach;
  producer.join();
}

// os.fork() with what Python itself does about it, in a child that ends as Python programs do.
TEST_F(DecrefQueueForkTest, ForkedByPython) {
  const Bound bound(1h);
  Deaths deaths;
  defer_all(deaths.make(3));
  const Strong names = testing::run(
      "import os, warnings\n"
      "warnings.simplefilter('ignore')\n"
      "def fork(): return os.fork()\n");
  const Strong pid = PyObject_CallNoArgs(PyDict_GetItemString(names.get(), "fork"));
  const auto child = static_cast<pid_t>(PyLong_AsLong(pid.get()));
  if (child == 0) {
    EXPECT_EQ(deaths.count(), 3);
    expect_works();
    EXPECT_EQ(Py_FinalizeEx(), 0);
    testing::end_child();
  }
  EXPECT_TRUE(testing::ended_well(child));
}

// Locks of ours and of the interpreter's are never waited for in different orders.
TEST_F(DecrefQueueForkTest, ForksWhileThreadsComeAndGo) {
  constexpr int kVisitors = 3;
  std::atomic<bool> is_over{false};
  std::atomic<int> ready{0};
  std::atomic<int> visits{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kVisitors; ++t) {
    threads.emplace_back([&] {
      // Free-threaded CPython 3.13 forks while another thread is inside PyThreadState_New(), and
      // the child crashes on what is half made: there each has its state before the first fork.
      std::optional<Attach> kept;
      std::optional<Detach> outside;
      if constexpr (abi::kFreeThreaded) {
        kept.emplace(queue().gate());
        outside.emplace();
      }
      ++ready;
      while (!is_over) {
        const Attach attach(queue().gate());
        ++visits;
      }
    });
  }
  EXPECT_TRUE(eventually_detached([&] { return ready == kVisitors; }));
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    const int before = visits;
    eventually_detached([&] { return visits > before; });
    expect_in_child([] {});
  }
  is_over = true;
  const Detach detach;
  for (std::thread& thread : threads) thread.join();
}

// A visit that goes on in the child is given up there like any other.
TEST_F(DecrefQueueForkTest, AVisitGoesOnInTheChild) {
  std::optional<Visit> visit;
  visit.emplace(queue().gate());
  ASSERT_TRUE(*visit);
  expect_in_child([&] {
    visit.reset();
    // Closes the gate, which waits for everybody who is inside.
    alarm(10);
    EXPECT_EQ(Py_FinalizeEx(), 0);
  });
  const Attach attach(queue().gate());
  ASSERT_TRUE(attach);
  expect_in_child([&] {
    visit.reset();
    alarm(10);
    EXPECT_EQ(Py_FinalizeEx(), 0);
  });
}

}  // namespace
}  // namespace tenure
