#include "tenure/core/decref_queue.h"

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;

DecrefQueue& queue() { return *DecrefQueue::current(); }

// pushed = drained + pending + leaked.
void expect_balanced() {
  const DeferStats stats = queue().stats();
  EXPECT_EQ(stats.pushed, stats.drained + stats.pending + stats.leaked);
}

// Runs on another thread, which is not attached; this one lets go of the GIL meanwhile.
void detached(const std::function<void()>& body) {
  const Detach detach;
  std::thread(body).join();
}

// Lets other threads run Python until the queue has nothing pending, or time is up. False if it is.
bool wait_until_drained(std::chrono::milliseconds most) {
  const Detach detach;
  const auto end = std::chrono::steady_clock::now() + most;
  while (std::chrono::steady_clock::now() < end) {
    if (DecrefQueue::main()->stats().pending == 0) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

class DecrefQueueTest : public ::testing::Test {
 protected:
  void SetUp() override { queue().flush(); }
  void TearDown() override {
    queue().flush();
    expect_balanced();
    EXPECT_EQ(queue().stats().pending, 0U);
  }
};

TEST_F(DecrefQueueTest, OneForEachInterpreter) {
  EXPECT_EQ(DecrefQueue::current(), DecrefQueue::current());
  EXPECT_EQ(DecrefQueue::main(), DecrefQueue::current());
  EXPECT_EQ(DecrefQueue::of(PyInterpreterState_Get()), DecrefQueue::current());
}

TEST_F(DecrefQueueTest, DoesADeferredDecrefOnce) {
  Strong list = PyList_New(0);
  const DeferStats before = queue().stats();
  Py_INCREF(list.get());
  detached([&] { DecrefQueue::main()->defer(list.get()); });
  EXPECT_TRUE(queue().has_pending());
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_EQ(queue().flush(), 0U);
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  const DeferStats after = queue().stats();
  EXPECT_EQ(after.pushed - before.pushed, 1U);
  EXPECT_EQ(after.drained - before.drained, 1U);
}

TEST_F(DecrefQueueTest, KeepsManyChunksInOrder) {
  constexpr int kCount = 3 * Lane::kSlots + 17;
  Strong order = PyList_New(0);
  Strong names = testing::run(
      "class Named:\n  def __init__(s, n, o): s.n = n; s.o = o\n"
      "  def __del__(s): s.o.append(s.n)\n");
  PyObject* type = PyDict_GetItemString(names.get(), "Named");
  std::vector<PyObject*> objects;
  for (int i = 0; i < kCount; ++i) {
    objects.push_back(PyObject_CallFunction(type, "iO", i, order.get()));
  }
  detached([&] {
    for (PyObject* object : objects) DecrefQueue::main()->defer(object);
  });
  // The reaper may have begun: a full chunk hurries it.
  queue().flush();
  ASSERT_EQ(PyList_Size(order.get()), kCount);
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(PyLong_AsLong(PyList_GetItem(order.get(), i)), i);
  }
}

TEST_F(DecrefQueueTest, ABudgetOfObjectsEndsADrain) {
  Strong list = PyList_New(0);
  for (int i = 0; i < 10; ++i) Py_INCREF(list.get());
  detached([&] {
    for (int i = 0; i < 10; ++i) DecrefQueue::main()->defer(list.get());
  });
  const Drained some = queue().drain({.objects = 4, .time = 1h});
  EXPECT_EQ(some.objects, 4U);
  EXPECT_TRUE(some.more);
  const Drained rest = queue().drain({.objects = 100, .time = 1h});
  EXPECT_EQ(rest.objects, 6U);
  EXPECT_FALSE(rest.more);
}

// Progress: the main thread runs Python and calls nothing of ours.
TEST_F(DecrefQueueTest, APendingCallDrainsWhilePythonRuns) {
  const DeferStats before = queue().stats();
  Strong list = PyList_New(0);
  Py_INCREF(list.get());
  detached([&] { DecrefQueue::main()->defer(list.get()); });
  Strong ran = testing::run(
      "import time\nend = time.monotonic() + 0.5\nwhile time.monotonic() < end: pass\n");
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_GT(queue().stats().pending_calls, before.pending_calls);
}

TEST_F(DecrefQueueTest, TheReaperDrainsWhileTheMainThreadIsInC) {
  const DeferStats before = queue().stats();
  Strong list = PyList_New(0);
  Py_INCREF(list.get());
  detached([&] { DecrefQueue::main()->defer(list.get()); });
  EXPECT_TRUE(wait_until_drained(2s));
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  EXPECT_GT(queue().stats().reaper_drains, before.reaper_drains);
}

TEST_F(DecrefQueueTest, FallsIdle) {
  Strong list = PyList_New(0);
  for (int round = 0; round < 3; ++round) {
    Py_INCREF(list.get());
    detached([&] { DecrefQueue::main()->defer(list.get()); });
    EXPECT_TRUE(queue().has_pending());
    queue().flush();
    const Detach detach;
    for (int i = 0; i < 2000 && DecrefQueue::main()->has_pending(); ++i) {
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_FALSE(DecrefQueue::main()->has_pending());
  }
}

TEST_F(DecrefQueueTest, ManyProducersLoseNothing) {
  constexpr int kThreads = 8;
  constexpr int kEach = 20'000;
  Strong list = PyList_New(0);
  const DeferStats before = queue().stats();
  for (int i = 0; i < kThreads * kEach; ++i) Py_INCREF(list.get());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) DecrefQueue::main()->defer(list.get());
    });
  }
  while (queue().stats().pushed - before.pushed < kThreads * kEach) queue().drain();
  for (std::thread& thread : threads) thread.join();
  queue().flush();
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST_F(DecrefQueueTest, LanesOfEndedThreadsAreUsedAgain) {
  Strong list = PyList_New(0);
  detached([&] { DecrefQueue::main()->defer(Py_None); });
  queue().flush();
  const uint64_t lanes = queue().stats().lanes;
  for (int i = 0; i < 100; ++i) {
    detached([&] { DecrefQueue::main()->defer(Py_None); });
    if (i % 10 == 0) queue().flush();
  }
  EXPECT_EQ(queue().stats().lanes, lanes);
}

}  // namespace
}  // namespace tenure
