// Deferring before, during and after the end of the interpreter, each in a process of its own.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"
#include "tenure/tests/core/exit_programs.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/programs.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::deaths;
using testing::eventually_detached;
using testing::finalize;
using testing::on_another_thread;
using testing::passes;
using testing::Program;
using testing::require;
using testing::require_balanced;
using testing::run_in_main;
using testing::start_with_queue;

const Program pending_at_the_end("pending_at_the_end", [] {
  const Bound bound(1h);
  DecrefQueue& queue = start_with_queue();
  const std::vector<PyObject*> objects = deaths().make(1000);
  on_another_thread([&] {
    for (PyObject* object : objects) queue.defer(object);
  });
  require(deaths().count() == 0, "they are pending");
  finalize(queue);
  require(deaths().count() == 1000 && deaths().elsewhere() == 0, "all are done");
  require(queue.stats().leaked == 0, "none is leaked");
});

TEST(DecrefQueueExit, WhatIsPendingIsDone) { EXPECT_TRUE(passes(pending_at_the_end)); }

const Program pushed_after_the_end("pushed_after_the_end", [] {
  DecrefQueue& queue = start_with_queue();
  const std::vector<PyObject*> objects = deaths().make(20);
  std::atomic<bool> has_ended{false};
  std::atomic<bool> has_lane{false};
  std::thread with_lane([&] {
    queue.defer(objects[0]);
    has_lane = true;
    testing::eventually([&] { return has_ended.load(); });
    for (int i = 1; i < 10; ++i) queue.drop(objects[i]);
  });
  require(eventually_detached([&] { return has_lane.load(); }), "the thread has a lane");
  finalize(queue);
  has_ended = true;
  with_lane.join();
  std::thread([&] {
    for (int i = 10; i < 15; ++i) queue.drop(objects[i]);
  }).join();
  for (int i = 15; i < 20; ++i) queue.drop(objects[i]);
  require(deaths().count() == 1, "none of them is touched");
  require(queue.stats().leaked == 19, "each is counted");
  require_balanced(queue);
  require(!Attach(queue.gate()), "nobody gets in");
});

TEST(DecrefQueueExit, WhatIsPushedAfterIsLeaked) { EXPECT_TRUE(passes(pushed_after_the_end)); }

const Program pushed_for_ever("pushed_for_ever", [] {
  constexpr uint64_t kEach = 4'000'000;
  DecrefQueue& queue = start_with_queue();
  queue.defer(Py_None);
  finalize(queue);
  const int before = testing::resident_mib();
  std::thread([&] {
    for (uint64_t i = 0; i < kEach; ++i) queue.defer(Py_None);
  }).join();
  for (uint64_t i = 0; i < kEach; ++i) queue.defer(Py_None);
  require(testing::resident_mib() - before < 16, "nothing is kept that nobody will take");
  require(queue.stats().leaked == 2 * kEach, "each is counted");
  require_balanced(queue);
});

TEST(DecrefQueueExit, WhatIsPushedAfterNeedsNoMemory) { EXPECT_TRUE(passes(pushed_for_ever)); }

const Program pushed_by_atexit_functions("pushed_by_atexit_functions", [] {
  const Bound bound(1h);
  DecrefQueue& queue = start_with_queue();
  // Called in the opposite order, so before the queue's turn. What is registered before the queue
  // is made comes after it; that is the tear-down of modules for all the queue knows.
  run_in_main(
      "import atexit\n"
      "atexit.register(lambda: defer(mortal()))\n"
      "atexit.register(lambda: (defer(mortal()), drain()))\n");
  finalize(queue);
  require(deaths().count() == 2 && queue.stats().leaked == 0, "all are done");
});

TEST(DecrefQueueExit, AtexitFunctionsMayPush) { EXPECT_TRUE(passes(pushed_by_atexit_functions)); }

const Program pushed_by_modules("pushed_by_modules", [] {
  const Bound bound(1h);
  DecrefQueue& queue = start_with_queue();
  run_in_main(
      "import sys\n"
      "class Last:\n"
      "  def __del__(self, defer=defer, mortal=mortal): defer(mortal())\n"
      "kept = Last()\n"
      "many = [Last() for i in range(10)]\n"
      "cycle = Last(); cycle.me = cycle\n"
      "sys.kept = Last()\n"
      "import types; sys.modules['other'] = types.ModuleType('other')\n"
      "sys.modules['other'].kept = Last()\n");
  finalize(queue);
  require(deaths().count() == 14, "all that died with a module");
  require(queue.stats().leaked == 0, "none is leaked");
});

TEST(DecrefQueueExit, ModulesMayPushWhenTheyGo) { EXPECT_TRUE(passes(pushed_by_modules)); }

// The very last: a cycle that the interpreter itself keeps goes after the last drain.
const Program pushed_by_the_last("pushed_by_the_last", [] {
  DecrefQueue& queue = start_with_queue();
  static DecrefQueue* answer = nullptr;
  PyObject* const last = testing::new_mortal([] {
                           answer = DecrefQueue::current();
                           if (answer != nullptr) answer->defer(Py_None);
                           PyErr_Clear();
                         }).release();
  PyObject* const cycle = PyList_New(0);
  PyObject* const kept = PyInterpreterState_GetDict(PyInterpreterState_Get());
  require(PyList_Append(cycle, cycle) == 0 && PyList_Append(cycle, last) == 0 &&
              PyDict_SetItemString(kept, "last", cycle) == 0,
          "it is kept");
  Py_DECREF(last);
  Py_DECREF(cycle);
  finalize(queue);
  require(answer == &queue, "there is no other queue");
  require(queue.stats().leaked == 1 && queue.stats().drained == 0, "what it pushed is leaked");
});

TEST(DecrefQueueExit, WhatIsPushedAfterTheLastDrainIsLeaked) {
  EXPECT_TRUE(passes(pushed_by_the_last));
}

// Threads that push all the time, from before the end to after it.
const Program pushed_all_the_time("pushed_all_the_time", [] {
  constexpr int kThreads = 4;
  constexpr size_t kEach = 100'000;
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  std::vector<std::vector<PyObject*>> objects;
  for (int t = 0; t < kThreads; ++t) objects.push_back(deaths().make(kEach));
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> pushed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      uint64_t i = 0;
      for (; i < kEach && !is_over; ++i) {
        queue.drop(objects[t][i]);
        if (t % 2 == 0) std::this_thread::sleep_for(20us);
      }
      pushed += i;
    });
  }
  run_in_main("import time; time.sleep(0.01)\n");
  finalize(queue);
  std::this_thread::sleep_for(5ms);
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  const DeferStats stats = queue.stats();
  require(stats.pushed == pushed, "every push is counted");
  require(stats.drained == static_cast<uint64_t>(deaths().count()), "each died once");
  require(deaths().elsewhere() == 0, "and attached");
  require_balanced(queue);
});

TEST(DecrefQueueExit, ThreadsMayPushAllTheTime) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(passes(pushed_all_the_time));
}

const Program visited_at_the_end("visited_at_the_end", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  std::atomic<bool> is_inside{false};
  std::atomic<bool> has_left{false};
  std::thread long_visit([&] {
    const Attach attach(queue.gate());
    require(static_cast<bool>(attach), "it is let in");
    is_inside = true;
    run_in_main("import time; time.sleep(0.05)\n");
    queue.defer(deaths().make().release());
    has_left = true;
  });
  std::vector<std::thread> short_visits;
  for (int t = 0; t < 3; ++t) {
    short_visits.emplace_back([&] {
      for (;;) {
        const Attach attach(queue.gate());
        if (!attach) return;
        queue.drain();
        queue.defer(deaths().make().release());
      }
    });
  }
  require(eventually_detached([&] { return is_inside.load(); }), "there are visitors");
  finalize(queue);
  require(has_left, "the end has waited for who was inside");
  long_visit.join();
  for (std::thread& thread : short_visits) thread.join();
  require(queue.stats().leaked == 0, "what visitors pushed is done");
  require(deaths().elsewhere() == 0, "attached");
});

TEST(DecrefQueueExit, VisitorsAreWaitedFor) { EXPECT_TRUE(passes(visited_at_the_end)); }

const Program reaper_at_the_end("reaper_at_the_end", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  std::atomic<bool> is_inside{false};
  std::atomic<bool> has_ended{false};
  PyObject* const slow = testing::new_mortal([&] {
                           const Detach detach;
                           is_inside = true;
                           std::this_thread::sleep_for(50ms);
                           has_ended = true;
                         }).release();
  on_another_thread([&] { queue.defer(slow); });
  require(eventually_detached([&] { return is_inside.load(); }), "the reaper is in a destructor");
  finalize(queue);
  require(has_ended, "the end has waited for it");
});

TEST(DecrefQueueExit, TheReaperIsWaitedFor) { EXPECT_TRUE(passes(reaper_at_the_end)); }

// Kept until static destructors run. What is declared first is destroyed last.
struct LooksLast {
  const DecrefQueue* queue = nullptr;
  uint64_t leaked = 0;
  ~LooksLast() {
    if (queue == nullptr) return;
    require_balanced(*queue);
    require(queue->stats().leaked == leaked, "each is counted");
  }
};
LooksLast looks_last;
std::optional<Sendable<>> static_sendable;
std::optional<Shared<>> static_shared;
std::optional<Shared<>> static_copy;

DecrefQueue& start_with_statics() {
  DecrefQueue& queue = start_with_queue();
  static_sendable = Sendable<>::make(Owned<>::steal(deaths().make().release()));
  static_shared = Shared<>::make(Owned<>::steal(deaths().make().release()));
  static_copy = static_shared;
  looks_last.queue = &queue;
  return queue;
}

const Program static_destructors("static_destructors", [] {
  DecrefQueue& queue = start_with_statics();
  finalize(queue);
  looks_last.leaked = 2;
});

const Program static_destructors_while_it_runs("static_destructors_while_it_runs", [] {
  DecrefQueue& queue = start_with_statics();
  static std::atomic<bool> is_over{false};
  // As programs do that return from main() with threads running.
  for (int t = 0; t < 3; ++t) {
    std::thread([&queue] {
      while (!is_over) queue.defer(Py_None);
    }).detach();
  }
  std::this_thread::sleep_for(5ms);
  // That one looks at counts that do not stand still.
  looks_last.queue = nullptr;
});

TEST(DecrefQueueExit, StaticDestructorsMayDrop) {
  EXPECT_TRUE(passes(static_destructors));
  EXPECT_TRUE(passes(static_destructors_while_it_runs));
}

}  // namespace
}  // namespace tenure
