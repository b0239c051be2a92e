// What instances of a pool are to Python: nothing that could be told from CPython's own.

#include "tenure/pool/instance_pool.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/pool/instance_types.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
// Few, so that the bound is easily met.
struct Small {
  PyObject_HEAD
  char bytes[100];
};
}  // namespace tenure::testing

template <>
struct tenure::pool::PoolLimits<tenure::testing::Small> : tenure::pool::DefaultLimits {
  static constexpr size_t kMostInstances = 3;
};

namespace tenure::testing {
namespace {

constexpr bool kPools = !abi::kFreeThreaded;

class InstancePoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    PyGC_Collect();
    pool::trim_all();
  }
  void TearDown() override {
    PyGC_Collect();
    EXPECT_EQ(PointPool::statistics().live, 0U);
    EXPECT_EQ(NodePool::statistics().live, 0U);
    EXPECT_EQ(ManagedPool::statistics().live, 0U);
  }
};

// Runs source with these names, and answers the names.
Strong run_with(const std::string& source, const char* name, PyObject* value) {
  Strong names = run("import gc");
  EXPECT_EQ(PyDict_SetItemString(names.get(), name, value), 0);
  const Strong result = PyRun_String(source.c_str(), Py_file_input, names.get(), names.get());
  if (!result) {
    PyErr_Print();
    ADD_FAILURE() << source;
  }
  return names;
}

void expect_runs(const std::string& source, const char* name, PyObject* value) {
  const Strong names = run_with(source, name, value);
}

TEST_F(InstancePoolTest, KnowsTheCollectorOfThisInterpreter) {
  abi::Collector collector;
  EXPECT_EQ(abi::find_collector(collector), kPools ? abi::Found::kYes : abi::Found::kNo);
}

#ifndef Py_REF_DEBUG
// Otherwise every object costs a call more, and nobody would see. Debug builds make that call
// anyway.
TEST_F(InstancePoolTest, KnowsWhereTheTracerIs) {
  abi::find_tracer();
  EXPECT_EQ(abi::tracer_place() != &abi::internal::unknown_tracer, kPools);
}
#endif

TEST_F(InstancePoolTest, MemoryIsUsedAgain) {
  for (const bool is_collected : {false, true}) {
    const Strong type = is_collected ? new_node_type() : new_point_type();
    Strong first = make(type);
    const PyObject* const place = first.get();
    first = {};
    const Strong second = make(type);
    if (kPools) {
      EXPECT_EQ(second.get(), place);
    }
  }
}

TEST_F(InstancePoolTest, InstancesAreZero) {
  const Strong type = new_point_type();
  const Strong node_type = new_node_type();
  for (int i = 0; i < 3; ++i) {
    const Strong point = make(type);
    auto* const members = reinterpret_cast<Point*>(point.get());
    EXPECT_EQ(members->x, 0);
    EXPECT_EQ(members->y, 0);
    EXPECT_EQ(Py_REFCNT(point.get()), 1);
    EXPECT_EQ(Py_TYPE(point.get()), as_type(type));
    members->x = members->y = 1;
    const Strong node = make(node_type);
    EXPECT_EQ(reinterpret_cast<Node*>(node.get())->next, nullptr);
    reinterpret_cast<Node*>(node.get())->next = Py_NewRef(type.get());
  }
}

TEST_F(InstancePoolTest, HoldsItsType) {
  const Strong type = new_node_type();
  const Py_ssize_t before = Py_REFCNT(type.get());
  Strong one = make(type);
  Strong other = make(type);
  if (!abi::kFreeThreaded) {
    EXPECT_EQ(Py_REFCNT(type.get()), before + 2);
  }
  one = {};
  other = {};
  if (!abi::kFreeThreaded) {
    EXPECT_EQ(Py_REFCNT(type.get()), before);
  }
}

TEST_F(InstancePoolTest, TheCollectorKnowsThem) {
  const Strong type = new_node_type();
  expect_runs(R"(
node = Node()
assert gc.is_tracked(node)
assert any(o is node for o in gc.get_objects())
assert any(o is node for o in gc.get_objects(generation=0))
node.next = other = Node()
assert any(o is node for o in gc.get_referrers(other))
assert any(o is other for o in gc.get_referents(node))
assert not gc.is_finalized(node)
gc.collect()
assert any(o is node for o in gc.get_objects())
gc.freeze()
assert not any(o is node for o in gc.get_objects(generation=0))
later = Node()
gc.unfreeze()
assert any(o is node for o in gc.get_objects(generation=2))
del node, other, later
)",
              "Node", type.get());
}

TEST_F(InstancePoolTest, CyclesAreCollected) {
  const Strong type = new_node_type();
  expect_runs(R"(
for size in 1, 2, 1000:
    gc.collect()
    nodes = [Node() for _ in range(size)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1]):
        node.next = following
    del nodes, node, following
    assert gc.collect() == size
)",
              "Node", type.get());
  EXPECT_EQ(NodePool::statistics().live, 0U);
}

// Each by itself, among others of CPython's own: lists that are linked wrongly show at once.
TEST_F(InstancePoolTest, GoInAnyOrder) {
  const Strong type = new_node_type();
  expect_runs(R"(
import random
rng = random.Random(1)
kept = []
for _ in range(20000):
    kept.append(Node() if rng.random() < 0.7 else [])
    if len(kept) > 500:
        kept[rng.randrange(500)] = kept.pop()
    if rng.random() < 0.001:
        gc.collect(rng.randrange(3))
known = gc.get_objects()
ids = set(map(id, known))
assert all(id(o) in ids for o in kept)
del kept, known
)",
              "Node", type.get());
}

// The count of allocations, on which it depends when the collector runs, with and without a pool.
TEST_F(InstancePoolTest, AreCountedLikeAnyOther) {
  const auto count = [](const Strong& type) {
    return run_with(R"(
gc.disable()
gc.collect()
before = gc.get_count()[0]
nodes = [None] * 100
for i in range(100): nodes[i] = Node()
made = gc.get_count()[0] - before
for i in range(100): nodes[i] = None
gone = gc.get_count()[0] - before
del nodes, i
gc.enable()
)",
                    "Node", type.get());
  };
  const Strong own = count(new_node_type(false));
  const Strong pooled = count(new_node_type(true));
  for (const char* name : {"made", "gone"}) {
    EXPECT_TRUE(
        equal(PyDict_GetItemString(own.get(), name), PyDict_GetItemString(pooled.get(), name)))
        << name;
  }
}

// Nothing else is allocated here that would have the collector run.
TEST_F(InstancePoolTest, MakeTheCollectorRun) {
  if (!kPools) GTEST_SKIP();
  const Strong type = new_node_type();
  const Strong names = run_with(R"(
runs = 0
def count(phase, info):
    global runs
    runs += phase == "start"
def make():
    for _ in range(1000):
        node = Node()
        node.next = node
gc.callbacks.append(count)
threshold = gc.get_threshold()
gc.set_threshold(50)
gc.collect(); runs = 0; make(); enabled = runs
gc.disable(); gc.collect(); runs = 0; make(); disabled = runs
gc.enable(); gc.set_threshold(0); gc.collect(); runs = 0; make(); zero = runs
gc.set_threshold(*threshold)
gc.callbacks.remove(count)
gc.collect()
)",
                                "Node", type.get());
  EXPECT_GE(PyLong_AsLong(PyDict_GetItemString(names.get(), "enabled")), 10);
  EXPECT_EQ(PyLong_AsLong(PyDict_GetItemString(names.get(), "disabled")), 0);
  EXPECT_EQ(PyLong_AsLong(PyDict_GetItemString(names.get(), "zero")), 0);
}

TEST_F(InstancePoolTest, SizeIsAsCPythonSays) {
  const auto size_of = [](const Strong& type) {
    const Strong instance = make(type);
    const Strong sys = PyImport_ImportModule("sys");
    const Strong size = PyObject_CallMethod(sys.get(), "getsizeof", "O", instance.get());
    return PyLong_AsLong(size.get());
  };
  EXPECT_EQ(size_of(new_node_type(true)), size_of(new_node_type(false)));
  EXPECT_EQ(size_of(new_point_type(true)), size_of(new_point_type(false)));
}

TEST_F(InstancePoolTest, ClassesInPythonHaveCPythonsMemory) {
  const Strong type = new_node_type();
  const uint64_t before = NodePool::statistics().from_heap;
  expect_runs(R"(
import weakref
class Sub(Node):
    def __del__(self):
        gone.append(type(self))
gone = []
one = Sub()
one.anything = one
r = weakref.ref(one)
del one
assert gc.collect() >= 1 and gone == [Sub] and r() is None
class Slotted(Node):
    __slots__ = ()
slotted = Slotted()
# The memory of one kind must not become the other's.
for a, b in (slotted, Node), (Node(), Slotted):
    try:
        a.__class__ = b
    except TypeError:
        pass
    else:
        raise AssertionError
del slotted, a, b
)",
              "Node", type.get());
  // That of the Node() above.
  EXPECT_LE(NodePool::statistics().from_heap, before + 1);
}

TEST_F(InstancePoolTest, WhoResurrectsLives) {
  const Strong type = new_node_type();
  expect_runs(R"(
class Phoenix(Node):
    def __del__(self):
        ashes.append(self)
ashes = []
Phoenix().next = Node()
assert len(ashes) == 1 and isinstance(ashes[0].next, Node)
one = Phoenix(); one.next = one; del one
gc.collect()
assert len(ashes) == 2
ashes.clear()
gc.collect()
)",
              "Node", type.get());
}

#if !defined(__SANITIZE_THREAD__)
// CPython's bound on the stack takes no account of what ThreadSanitizer needs of it.
TEST_F(InstancePoolTest, LongChainsGo) {
  const Strong type = new_node_type();
  expect_runs(R"(
head = None
for _ in range(200000):
    node = Node()
    node.next = head
    head = node
del node
head = None
)",
              "Node", type.get());
}
#endif

// C types that derive from a pooled one have its slots.
TEST_F(InstancePoolTest, LargerTypesHaveCPythonsMemory) {
  const Strong base = new_node_type();
  const Strong larger = new_derived_type(base.get(), 64);
  ASSERT_EQ(as_type(larger)->tp_alloc, &NodePool::tp_alloc);
  EXPECT_FALSE(NodePool::is_pooled(as_type(larger)));
  const uint64_t before = NodePool::statistics().fallbacks;
  const uint64_t from_heap = NodePool::statistics().from_heap;
  for (int i = 0; i < 3; ++i) {
    const Strong one = make(larger);
    EXPECT_TRUE(PyObject_GC_IsTracked(one.get()));
    std::memset(reinterpret_cast<char*>(one.get()) + sizeof(Node), 0xff, 64);
  }
  EXPECT_EQ(NodePool::statistics().from_heap, from_heap);
  EXPECT_EQ(NodePool::statistics().fallbacks, before + (kPools ? 3 : 0));
}

TEST_F(InstancePoolTest, TypesOfTheSameSizeShare) {
  if (!kPools) GTEST_SKIP();
  const Strong base = new_node_type();
  const Strong derived = new_derived_type(base.get(), 0);
  EXPECT_TRUE(NodePool::is_pooled(as_type(derived)));
  Strong one = make(base);
  const PyObject* const place = one.get();
  one = {};
  one = make(derived);
  EXPECT_EQ(one.get(), place);
  EXPECT_EQ(Py_TYPE(one.get()), as_type(derived));
}

TEST_F(InstancePoolTest, HalfOfTheSlotsIsNone) {
  const Strong type = new_node_type(false);
  as_type(type)->tp_alloc = &NodePool::tp_alloc;
  EXPECT_FALSE(NodePool::is_pooled(as_type(type)));
  make_and_drop(type);
  as_type(type)->tp_alloc = &PyType_GenericAlloc;
  as_type(type)->tp_free = &NodePool::tp_free;
  EXPECT_FALSE(NodePool::is_pooled(as_type(type)));
  make_and_drop(type);
}

// A type that the collector sees and one that it does not, of the same struct.
TEST_F(InstancePoolTest, KindsAreKeptApart) {
  PyType_Slot slots[] = {TENURE_INSTANCE_POOL_SLOTS(Node),
                         {Py_tp_new, reinterpret_cast<void*>(&PyType_GenericNew)},
                         {}};
  PyType_Spec spec = {"tests.Plain", sizeof(Node), 0, Py_TPFLAGS_DEFAULT, slots};
  const Strong plain = PyType_FromSpec(&spec);
  ASSERT_TRUE(plain);
  const Strong node = new_node_type();
  for (int i = 0; i < 10; ++i) {
    const Strong a = make(plain);
    const Strong b = make(node);
    EXPECT_NE(a.get(), b.get());
    // As of CPython's allocator, also where an instance is no multiple of it.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.get()) % 16, 0U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.get()) % 16, 0U);
    EXPECT_FALSE(PyObject_IS_GC(a.get()));
    EXPECT_TRUE(PyObject_GC_IsTracked(b.get()));
  }
  EXPECT_EQ(NodePool::statistics().retained, kPools ? 2U : 0U);
}

TEST_F(InstancePoolTest, WhatCPythonPutsInFrontIsCleared) {
  const Strong type = new_managed_type();
  EXPECT_EQ(ManagedPool::is_pooled(as_type(type)), kPools);
  expect_runs(R"(
import weakref
for _ in range(10):
    one = Managed()
    assert weakref.getweakrefcount(one) == 0
    one.next = one
    r = weakref.ref(one)
    del one
    gc.collect()
    assert r() is None
)",
              "Managed", type.get());
  EXPECT_EQ(ManagedPool::statistics().retained, kPools ? 1U : 0U);
}

// From 3.14 on CPython keeps values in the instance itself, and decides how many.
TEST_F(InstancePoolTest, InstancesMayHaveADict) {
  const Strong type = new_managed_type(true);
  const bool has_values = (as_type(type)->tp_flags & Py_TPFLAGS_INLINE_VALUES) != 0;
  EXPECT_EQ(ManagedPool::is_pooled(as_type(type)), kPools && !has_values);
  expect_runs(R"(
for _ in range(10):
    one = Managed()
    assert one.__dict__ == {}
    one.x = 1
    one.me = one
    del one
    gc.collect()
)",
              "Managed", type.get());
}

TEST_F(InstancePoolTest, StaticTypesHavePoolsToo) {
  PyTypeObject* const type = static_node_type();
  EXPECT_EQ(NodePool::is_pooled(type), kPools);
  auto* const object = reinterpret_cast<PyObject*>(type);
  const uint64_t before = NodePool::statistics().from_heap;
  expect_runs("for _ in range(100):\n    one = Node(); one.next = one; del one\ngc.collect()\n",
              "Node", object);
  for (int i = 0; i < 100; ++i) make_and_drop(object);
  if (kPools) {
    EXPECT_EQ(abi::note_of(type), nullptr);
    EXPECT_LE(NodePool::statistics().from_heap, before + 100);
    EXPECT_GE(NodePool::statistics().from_heap, before + 1);
  }
}

// A type's note is of that type; another at its address has none.
TEST_F(InstancePoolTest, TypesComeAndGo) {
  if (!kPools) GTEST_SKIP();
  for (int i = 0; i < 300; ++i) {
    const bool is_pooled = i % 3 != 0;
    const Strong type = i % 2 == 0 ? new_node_type(is_pooled) : new_point_type(is_pooled);
    EXPECT_EQ(abi::note_of(as_type(type)), nullptr);
    make_and_drop(type);
    EXPECT_EQ(abi::note_of(as_type(type)) != nullptr, is_pooled);
    PyGC_Collect();
  }
}

TEST_F(InstancePoolTest, KeepsNoMoreThanItIsTold) {
  if (!kPools) GTEST_SKIP();
  PyType_Slot slots[] = {TENURE_INSTANCE_POOL_SLOTS(Small),
                         {Py_tp_new, reinterpret_cast<void*>(&PyType_GenericNew)},
                         {}};
  PyType_Spec spec = {"tests.Small", sizeof(Small), 0, Py_TPFLAGS_DEFAULT, slots};
  const Strong type = PyType_FromSpec(&spec);
  using Pool = pool::InstancePool<Small>;
  std::vector<Strong> ones;
  for (int i = 0; i < 10; ++i) ones.push_back(make(type));
  EXPECT_EQ(Pool::statistics().live, 10U);
  EXPECT_EQ(Pool::statistics().high_water, 10U);
  ones.clear();
  const pool::PoolStatistics dropped = Pool::statistics();
  EXPECT_EQ(dropped.live, 0U);
  EXPECT_EQ(dropped.retained, 3U);
  EXPECT_EQ(dropped.retained_bytes, 3 * sizeof(Small));
  EXPECT_EQ(dropped.from_heap, 10U);
  EXPECT_EQ(dropped.to_heap, 7U);
  EXPECT_EQ(dropped.high_water, 10U);
  EXPECT_EQ(dropped.fallbacks, 0U);
  EXPECT_EQ(Pool::trim(), 3 * sizeof(Small));
  EXPECT_EQ(Pool::statistics().retained, 0U);
  EXPECT_EQ(Pool::statistics().to_heap, 10U);
  EXPECT_EQ(Pool::trim(), 0U);
  make_and_drop(type);
  EXPECT_EQ(Pool::statistics().retained, 1U);
}

TEST_F(InstancePoolTest, TrimsAll) {
  if (!kPools) GTEST_SKIP();
  make_and_drop(new_node_type());
  make_and_drop(new_point_type());
  EXPECT_EQ(pool::statistics_of_all().retained, 2U);
  EXPECT_EQ(pool::trim_all(), 16 + sizeof(Node) + sizeof(Point));
  EXPECT_EQ(pool::statistics_of_all().retained, 0U);
}

TEST_F(InstancePoolTest, TracemallocIsTold) {
  if (!kPools) GTEST_SKIP();
  const Strong type = new_node_type();
  expect_runs(R"(
import tracemalloc
tracemalloc.start()
def make_first(): return Node()
def make_second(): return Node()
def maker(o):
    return tracemalloc.get_object_traceback(o)[-1].lineno
first = make_first()
assert maker(first) == make_first.__code__.co_firstlineno
del first
second = make_second()
assert maker(second) == make_second.__code__.co_firstlineno
tracemalloc.stop()
third = make_first()
del second, third
)",
              "Node", type.get());
}

TEST_F(InstancePoolTest, NothingLeaks) {
  const Strong node = new_node_type();
  const Strong point = new_point_type();
  expect_no_leak([&] {
    for (int i = 0; i < 50; ++i) {
      make_and_drop(node);
      make_and_drop(point);
    }
  });
  expect_no_leak([&] {
    make_and_drop(new_node_type());
    PyGC_Collect();
  });
}

}  // namespace
}  // namespace tenure::testing
