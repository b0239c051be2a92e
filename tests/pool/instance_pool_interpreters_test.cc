// Pools of several interpreters: each has its own, also when it has the address of one that ended.

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

class InstancePoolInterpretersTest : public ::testing::TestWithParam<Gil> {
 protected:
  void SetUp() override {
    PyGC_Collect();
    pool::trim_all();
  }
};

INSTANTIATE_TEST_SUITE_P(Gil, InstancePoolInterpretersTest,
                         ::testing::Values(Gil::kShared, Gil::kOwn),
                         [](const auto& gil) { return gil.param == Gil::kOwn ? "Own" : "Shared"; });

// Makes cycles of nodes, and points, and drops them.
void use(const Strong& node_type, const Strong& point_type, int times) {
  std::vector<Strong> kept;
  for (int i = 0; i < times; ++i) {
    Strong node = make(node_type);
    reinterpret_cast<Node*>(node.get())->next = Py_NewRef(node.get());
    kept.push_back(make(point_type));
    if (i % 10 == 0) kept.push_back(make(node_type));
  }
}

TEST_P(InstancePoolInterpretersTest, EachHasItsOwn) {
  const Strong type = new_node_type();
  make_and_drop(type);
  const pool::PoolStatistics before = NodePool::statistics();
  Subinterpreter other(GetParam());
  other.run([&] {
    EXPECT_EQ(NodePool::statistics().from_heap, 0U);
    {
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      use(node, point, 100);
      EXPECT_EQ(NodePool::statistics().from_heap > 0, kPools);
    }
    PyGC_Collect();
    EXPECT_EQ(NodePool::statistics().live, 0U);
    EXPECT_EQ(NodePool::trim() > 0, kPools);
    EXPECT_EQ(NodePool::statistics().retained, 0U);
  });
  EXPECT_EQ(NodePool::statistics().retained, before.retained);
  EXPECT_EQ(NodePool::statistics().from_heap, before.from_heap);
}

// One thread goes from one to the other with every instance; static types are of all of them, where
// they have one GIL.
TEST_P(InstancePoolInterpretersTest, OneThreadIsInSeveral) {
  const bool shares_types = GetParam() == Gil::kShared;
  PyTypeObject* const shared = static_node_type();
  Subinterpreter first(GetParam());
  Subinterpreter second(GetParam());
  std::vector<PyObject*> made;
  for (Subinterpreter* each : {&first, &second}) {
    each->run([&] {
      PyObject* const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
      const Strong type = new_node_type();
      ASSERT_EQ(PyDict_SetItemString(dict, "tests.type", type.get()), 0);
    });
  }
  for (int i = 0; i < 200; ++i) {
    for (Subinterpreter* each : {&first, &second}) {
      each->run([&] {
        PyObject* const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
        PyObject* const type = PyDict_GetItemString(dict, "tests.type");
        const Strong node = make(type);
        reinterpret_cast<Node*>(node.get())->next = make(type).release();
        if (shares_types) make_and_drop(reinterpret_cast<PyObject*>(shared));
      });
    }
    if (shares_types) make_and_drop(reinterpret_cast<PyObject*>(shared));
  }
  for (Subinterpreter* each : {&first, &second}) {
    each->run([&] {
      EXPECT_EQ(NodePool::statistics().live, 0U);
      EXPECT_LE(NodePool::statistics().from_heap, 3U);
    });
  }
}

// Interpreters are often at the address of one before.
TEST_P(InstancePoolInterpretersTest, ComeAndGo) {
  for (int i = 0; i < 20; ++i) {
    Subinterpreter other(GetParam());
    other.run([&] {
      EXPECT_EQ(pool::statistics_of_all().live, 0U);
      EXPECT_EQ(pool::statistics_of_all().retained, 0U);
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      use(node, point, 50);
    });
  }
}

// What nobody drops lives on: it is neither freed with the heap nor counted for the next.
TEST_P(InstancePoolInterpretersTest, LeakedInstancesKeepTheirMemory) {
  PyObject* leaked = nullptr;
  {
    Subinterpreter other(GetParam());
    other.run([&] {
      const Strong type = new_point_type();
      leaked = make(type).release();
      reinterpret_cast<Point*>(leaked)->x = 17;
    });
  }
  for (int i = 0; i < 5; ++i) {
    Subinterpreter other(GetParam());
    other.run([&] {
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      use(node, point, 300);
      EXPECT_EQ(PointPool::statistics().live, 0U);
    });
  }
  EXPECT_EQ(reinterpret_cast<Point*>(leaked)->x, 17);
}

// An object in builtins goes after everything else, when the pools have been told of the end.
TEST_P(InstancePoolInterpretersTest, InstancesDieLate) {
  for (int i = 0; i < 5; ++i) {
    Subinterpreter other(GetParam());
    other.run([&] {
      const Strong builtins = PyImport_ImportModule("builtins");
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      for (const char* name : {"late_a", "late_b"}) {
        const Strong kept = make(node);
        reinterpret_cast<Node*>(kept.get())->next = make(point).release();
        ASSERT_EQ(PyObject_SetAttrString(builtins.get(), name, kept.get()), 0);
      }
      make_and_drop(node);
    });
  }
}

// And may make others then, of a class that was never used before, too.
TEST_P(InstancePoolInterpretersTest, InstancesAreMadeLate) {
  for (int i = 0; i < 5; ++i) {
    Subinterpreter other(GetParam());
    other.run([&] {
      const Strong builtins = PyImport_ImportModule("builtins");
      const Strong node = new_node_type();
      const Strong point = new_point_type();
      const Strong names = run(R"(
import builtins
class Late:
    def __init__(self, *types):
        self.types = types
    def __del__(self):
        for type in self.types:
            for _ in range(3):
                type(), type()
)");
      make_and_drop(node);
      const Strong late = PyObject_CallFunction(PyDict_GetItemString(names.get(), "Late"), "OO",
                                                node.get(), point.get());
      ASSERT_TRUE(late);
      ASSERT_EQ(PyObject_SetAttrString(builtins.get(), "late", late.get()), 0);
    });
  }
}

// In parallel where each has a GIL.
TEST_P(InstancePoolInterpretersTest, RunOnThreadsOfTheirOwn) {
  constexpr int kThreads = 4;
  std::atomic<int> failed{0};
  const Detach detach;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 4; ++i) {
        PyThreadState* const main = PyThreadState_New(PyInterpreterState_Main());
        PyEval_RestoreThread(main);
        PyThreadState* const own = new_interpreter(GetParam());
        {
          const Strong node = new_node_type();
          const Strong point = new_point_type();
          for (int round = 0; round < 20; ++round) use(node, point, 100);
          PyGC_Collect();
          if (NodePool::statistics().live + PointPool::statistics().live != 0) ++failed;
          if (NodePool::statistics().retained == 0 && kPools) ++failed;
        }
        Py_EndInterpreter(own);
        PyThreadState_Swap(main);
        PyThreadState_Clear(main);
        PyThreadState_DeleteCurrent();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
}

}  // namespace
}  // namespace tenure::testing
