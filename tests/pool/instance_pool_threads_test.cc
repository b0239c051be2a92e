// Pools of an interpreter with several threads, and in the children of forks.

#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/pool/instance_types.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

constexpr bool kPools = !abi::kFreeThreaded;

class InstancePoolThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    PyGC_Collect();
    pool::trim_all();
  }
  void TearDown() override {
    PyGC_Collect();
    EXPECT_EQ(NodePool::statistics().live, 0U);
    EXPECT_EQ(PointPool::statistics().live, 0U);
  }
};

// Runs `body` attached to this interpreter, on threads of its own.
template <typename Body>
void on_threads(int count, const Body& body) {
  Gate& gate = DecrefQueue::main()->gate();
  const Detach detach;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const Attach attach(gate);
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Lets other threads run.
void yield() {
  const Detach detach;
  std::this_thread::yield();
}

TEST_F(InstancePoolThreadsTest, WhatOneMakesAnotherDrops) {
  const Strong type = new_node_type();
  std::vector<PyObject*> made;
  on_threads(1, [&](int) {
    for (int i = 0; i < 3000; ++i) made.push_back(make(type).release());
  });
  on_threads(1, [&](int) {
    for (PyObject* node : made) Py_DECREF(node);
  });
  if (kPools) {
    EXPECT_EQ(NodePool::statistics().retained, pool::DefaultLimits::kMostInstances);
    EXPECT_EQ(NodePool::statistics().live, 0U);
  }
  // And memory of threads that ended is used by others.
  const uint64_t before = NodePool::statistics().from_heap;
  on_threads(3, [&](int) {
    for (int i = 0; i < 100; ++i) make_and_drop(type);
  });
  EXPECT_EQ(NodePool::statistics().from_heap, before);
}

TEST_F(InstancePoolThreadsTest, ManyMakeAndDrop) {
  const Strong node = new_node_type();
  const Strong point = new_point_type();
  constexpr int kPlaces = 64;
  // What they hand each other; guarded by the GIL, or never touched in parallel without one.
  std::vector<PyObject*> places(kPlaces, nullptr);
  std::atomic<int> turn{0};
  on_threads(4, [&](int number) {
    std::vector<Strong> own;
    for (int i = 0; i < 3000; ++i) {
      own.push_back(make(i % 2 == 0 ? node : point));
      if (own.size() > 50) own.clear();
      if (kPools) {
        PyObject* const mine = make(node).release();
        PyObject* const old = std::exchange(places[turn++ % kPlaces], mine);
        Py_XDECREF(old);
      }
      if (i % 100 == number) yield();
      if (i % 1000 == number) pool::trim_all();
    }
  });
  for (PyObject* place : places) Py_XDECREF(place);
}

TEST_F(InstancePoolThreadsTest, ChildrenOfForksGoOn) {
  if (!kPools) GTEST_SKIP();
  const Strong node = new_node_type();
  const Strong point = new_point_type();
  std::vector<Strong> kept;
  for (int i = 0; i < 500; ++i) kept.push_back(make(i % 2 == 0 ? node : point));
  make_and_drop(node);
  // A thread that is not in the child has made some of it, too.
  std::vector<PyObject*> others;
  on_threads(1, [&](int) {
    for (int i = 0; i < 100; ++i) others.push_back(make(node).release());
  });
  expect_in_child([&] {
    const size_t live = NodePool::statistics().live;
    EXPECT_EQ(live, 350U);
    for (int i = 0; i < 1000; ++i) make_and_drop(i % 2 == 0 ? node : point);
    kept.clear();
    for (PyObject* other : others) Py_DECREF(other);
    EXPECT_EQ(NodePool::statistics().live, 0U);
    pool::trim_all();
    for (int i = 0; i < 1000; ++i) kept.push_back(make(node));
    on_threads(2, [&](int) { make_and_drop(node); });
    kept.clear();
  });
  for (PyObject* other : others) Py_DECREF(other);
  kept.clear();
}

// CPython up to 3.15 crashes in the child of os.fork() while there are other interpreters, so this
// is fork() in C; the thread that forks keeps the main interpreter's GIL.
TEST_F(InstancePoolThreadsTest, ChildrenOfForksForgetOtherInterpreters) {
  if (!kPools) GTEST_SKIP();
  const Strong type = new_node_type();
  make_and_drop(type);
  Subinterpreter other(Gil::kOwn);
  other.run([&] {
    const Strong there = new_node_type();
    for (int i = 0; i < 100; ++i) make_and_drop(there);
  });
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    for (int i = 0; i < 100; ++i) make_and_drop(type);
    EXPECT_EQ(NodePool::statistics().retained, 1U);
    pool::trim_all();
    make_and_drop(type);
    end_child();
  }
  EXPECT_TRUE(ended_well(child));
  other.run([&] { EXPECT_EQ(NodePool::statistics().retained, 1U); });
}

TEST_F(InstancePoolThreadsTest, ChildrenOfForksMayMakeInterpreters) {
  if (!kPools) GTEST_SKIP();
  make_and_drop(new_node_type());
  // Ended, so that the child's may be at its address.
  {
    Subinterpreter other(Gil::kOwn);
    other.run([&] { make_and_drop(new_node_type()); });
  }
  expect_in_child([&] {
    for (int i = 0; i < 3; ++i) {
      PyThreadState* const before = PyThreadState_Get();
      PyThreadState* const state = new_interpreter(Gil::kOwn);
      EXPECT_EQ(NodePool::statistics().retained, 0U);
      {
        const Strong type = new_node_type();
        for (int j = 0; j < 100; ++j) make_and_drop(type);
        EXPECT_EQ(NodePool::statistics().retained, 1U);
      }
      Py_EndInterpreter(state);
      PyThreadState_Swap(before);
    }
  });
}

}  // namespace
}  // namespace tenure::testing
