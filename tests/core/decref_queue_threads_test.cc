// Threads that push: many at once, one after another, and to their very end.

#include <pthread.h>

#include <atomic>
#include <barrier>
#include <chrono>
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
using testing::Deaths;
using testing::on_another_thread;

DecrefQueue& queue() { return *DecrefQueue::main(); }

class DecrefQueueThreadsTest : public ::testing::Test {
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
};

TEST_F(DecrefQueueThreadsTest, ManyProducersLoseNothing) {
  constexpr int kThreads = 8;
  constexpr int kEach = 20'000;
  const Strong list = PyList_New(0);
  const DeferStats before = queue().stats();
  for (int i = 0; i < kThreads * kEach; ++i) Py_INCREF(list.get());
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) queue().defer(list.get());
    });
  }
  // This thread keeps the GIL: none of them may need it.
  while (queue().stats().pushed - before.pushed < kThreads * kEach) queue().drain();
  for (std::thread& thread : threads) thread.join();
  queue().flush();
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST_F(DecrefQueueThreadsTest, ManyConsumersDoEachOnce) {
  constexpr int kProducers = 3;
  constexpr int kConsumers = 3;
  constexpr int kEach = 10'000;
  Deaths deaths;
  std::vector<std::vector<PyObject*>> objects;
  for (int t = 0; t < kProducers; ++t) objects.push_back(deaths.make(kEach));
  std::atomic<bool> is_done{false};
  {
    const Detach detach;
    std::vector<std::thread> producers;
    std::vector<std::thread> consumers;
    for (int t = 0; t < kConsumers; ++t) {
      consumers.emplace_back([&] {
        while (!is_done) {
          const Attach attach(queue().gate());
          if (attach) queue().drain({.objects = 100});
        }
      });
    }
    for (int t = 0; t < kProducers; ++t) {
      producers.emplace_back([&, t] {
        for (PyObject* object : objects[t]) queue().defer(object);
      });
    }
    for (std::thread& thread : producers) thread.join();
    is_done = true;
    for (std::thread& thread : consumers) thread.join();
  }
  queue().flush();
  EXPECT_EQ(deaths.count(), kProducers * kEach);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

TEST_F(DecrefQueueThreadsTest, WhatAThreadLeavesBehindIsDone) {
  const testing::Bound bound(1h);
  Deaths deaths;
  for (int i = 0; i < 20; ++i) {
    const std::vector<PyObject*> objects = deaths.make(7);
    on_another_thread([&] {
      for (PyObject* object : objects) queue().defer(object);
    });
  }
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().flush(), 140U);
  EXPECT_EQ(deaths.count(), 140);
}

TEST_F(DecrefQueueThreadsTest, LanesOfEndedThreadsAreUsedAgain) {
  on_another_thread([&] { queue().defer(Py_None); });
  queue().flush();
  const uint64_t lanes = queue().stats().lanes;
  for (int i = 0; i < 200; ++i) {
    on_another_thread([&] { queue().defer(Py_None); });
    // With something in it or not.
    if (i % 10 == 0) queue().flush();
  }
  EXPECT_EQ(queue().stats().lanes, lanes);
}

TEST_F(DecrefQueueThreadsTest, ThereAreNoMoreLanesThanThreadsAtATime) {
  constexpr int kAtATime = 24;
  for (int wave = 0; wave < 10; ++wave) {
    const Detach detach;
    std::barrier everybody(kAtATime);
    std::vector<std::thread> threads;
    for (int t = 0; t < kAtATime; ++t) {
      threads.emplace_back([&] {
        queue().defer(Py_None);
        everybody.arrive_and_wait();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GE(queue().stats().lanes, static_cast<uint64_t>(kAtATime));
  // And those of other tests, one after another.
  EXPECT_LE(queue().stats().lanes, static_cast<uint64_t>(kAtATime + 2));
}

TEST_F(DecrefQueueThreadsTest, AThreadMayPushToSeveralQueues) {
  testing::Subinterpreter other(testing::Gil::kOwn);
  const uint64_t before = queue().stats().pushed;
  on_another_thread([&] {
    for (int i = 0; i < 1000; ++i) {
      queue().defer(Py_None);
      other.queue().defer(Py_None);
    }
  });
  EXPECT_EQ(queue().stats().pushed - before, 1000U);
  EXPECT_EQ(other.queue().stats().pushed, 1000U);
  EXPECT_EQ(other.queue().stats().lanes, 1U);
}

// Pushes when it is destroyed.
struct Last {
  PyObject* object = nullptr;
  ~Last() {
    if (object != nullptr) queue().defer(object);
  }
};

TEST_F(DecrefQueueThreadsTest, ThreadLocalsMayPushWhenTheyAreDestroyed) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(100);
  std::vector<uint64_t> lanes;
  for (size_t i = 0; i < objects.size(); i += 2) {
    on_another_thread([&] {
      // Made before the thread has a lane or after, and so destroyed after or before it is given
      // back.
      thread_local Last last;
      if (i % 4 == 0) last.object = objects[i];
      queue().defer(objects[i + 1]);
      if (i % 4 != 0) last.object = objects[i];
    });
    lanes.push_back(queue().stats().lanes);
  }
  queue().flush();
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(lanes.front(), lanes.back()) << "each thread has taken a lane along";
}

// The library gives lanes back in a destructor of its own for the thread's data; others may run
// before it, after it, and again and again for as long as they ask for it.
pthread_key_t late_key;
std::atomic<int> late_pushes{0};

void push_late(void* rounds) {
  queue().defer(Py_None);
  ++late_pushes;
  const auto left = reinterpret_cast<intptr_t>(rounds) - 1;
  if (left > 0) pthread_setspecific(late_key, reinterpret_cast<void*>(left));
}

TEST_F(DecrefQueueThreadsTest, DestructorsThatRunAfterOursMayPush) {
  ASSERT_EQ(pthread_key_create(&late_key, &push_late), 0);
  auto run_thread = [](intptr_t rounds) {
    on_another_thread([&] {
      pthread_setspecific(late_key, reinterpret_cast<void*>(rounds));
      queue().defer(Py_None);
    });
  };
  const uint64_t pushed = queue().stats().pushed;
  run_thread(1);
  const uint64_t lanes = queue().stats().lanes;
  for (int i = 0; i < 50; ++i) run_thread(1);
  EXPECT_EQ(queue().stats().lanes, lanes) << "given back a second time";
#ifdef __SANITIZE_THREAD__
  constexpr intptr_t kForEver = 2;  // it is itself one that runs last
#else
  constexpr intptr_t kForEver = 100;
#endif
  for (int i = 0; i < 10; ++i) run_thread(kForEver);
  EXPECT_GT(late_pushes, 61);
  EXPECT_EQ(queue().stats().pushed - pushed, 61U + static_cast<uint64_t>(late_pushes));
  pthread_key_delete(late_key);
  queue().flush();
  EXPECT_EQ(queue().stats().pending, 0U);
}

TEST_F(DecrefQueueThreadsTest, PythonThreadsPushWhereTheyAreNotAttached) {
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(400);
  std::atomic<size_t> next{0};
  {
    const Detach detach;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const Attach attach(queue().gate());
        for (int i = 0; i < 100; ++i) {
          PyObject* object = objects[next++];
          if (i % 2 == 0) {
            queue().drop(object);
          } else {
            const Detach while_it_computes;
            queue().drop(object);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GE(deaths.count(), 200);
  queue().flush();
  EXPECT_EQ(deaths.count(), 400);
}

}  // namespace
}  // namespace tenure
