#include "tenure/core/dismantler.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
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
using testing::attribute;
using testing::Deaths;
using testing::evaluate;

constexpr size_t kAll = std::numeric_limits<size_t>::max();

// Never destroyed: it is none of what ends.
Dismantler& dismantler() {
  static Dismantler* const only = new Dismantler;
  return *only;
}

void work(size_t steps) {
  Deadline deadline(steps, 1h);
  dismantler().work(deadline);
}

bool add(Strong container) {
  PyObject* object = std::move(container).release();
  if (dismantler().try_add(object)) return true;
  Py_DECREF(object);
  return false;
}

Strong list_of(const std::vector<PyObject*>& objects) {
  Strong list = PyList_New(static_cast<Py_ssize_t>(objects.size()));
  for (size_t i = 0; i < objects.size(); ++i) {
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), objects[i]);
  }
  return list;
}

class DismantlerTest : public ::testing::Test {
 protected:
  // For its gate.
  void SetUp() override { ASSERT_NE(DecrefQueue::current(), nullptr); }
  void TearDown() override {
    work(kAll);
    EXPECT_EQ(dismantler().size(), 0U);
  }
};

TEST_F(DismantlerTest, DropsOneReferenceAStep) {
  Deaths deaths;
  ASSERT_TRUE(add(list_of(deaths.make(100))));
  EXPECT_EQ(deaths.count(), 0);
  work(10);
  EXPECT_EQ(deaths.count(), 10);
  work(50);
  EXPECT_EQ(deaths.count(), 60);
  EXPECT_EQ(dismantler().size(), 1U);
  work(kAll);
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(dismantler().size(), 0U);
}

TEST_F(DismantlerTest, StopsInTime) {
  int deaths = 0;
  std::vector<PyObject*> objects;
  for (int i = 0; i < 100; ++i) {
    objects.push_back(testing::new_mortal([&] {
                        ++deaths;
                        std::this_thread::sleep_for(1ms);
                      }).release());
  }
  ASSERT_TRUE(add(list_of(objects)));
  Deadline deadline(kAll, 10ms);
  EXPECT_FALSE(dismantler().work(deadline));
  EXPECT_GE(deaths, 1);
  EXPECT_LE(deaths, 11);
  Deadline rest(kAll, 1h);
  EXPECT_TRUE(dismantler().work(rest));
  EXPECT_EQ(deaths, 100);
}

TEST_F(DismantlerTest, RefusesWhatIsNoContainerOfItsOwn) {
  const Strong shared = PyList_New(3);
  EXPECT_FALSE(add(Py_NewRef(shared.get())));
  EXPECT_EQ(Py_REFCNT(shared.get()), 1);
  EXPECT_FALSE(add(evaluate("frozenset([1])")));
  EXPECT_FALSE(add(evaluate("10 ** 30")));
  EXPECT_EQ(dismantler().size(), 0U);
}

TEST_F(DismantlerTest, TakesNestedContainersApart) {
  Deaths deaths;
  Strong outer = PyList_New(0);
  for (int i = 0; i < 10; ++i) {
    const Strong list = list_of(deaths.make(10));
    const Strong tuple = PyTuple_Pack(1, list.get());
    const Strong dict = PyDict_New();
    ASSERT_EQ(PyDict_SetItemString(dict.get(), "key", tuple.get()), 0);
    ASSERT_EQ(PyList_Append(outer.get(), dict.get()), 0);
  }
  ASSERT_TRUE(add(std::move(outer)));
  for (int steps = 0; dismantler().size() > 0; ++steps) {
    const int before = deaths.count();
    work(1);
    ASSERT_LE(deaths.count() - before, 1) << "no step does more than one";
    ASSERT_LT(steps, 1000);
  }
  EXPECT_EQ(deaths.count(), 100);
}

TEST_F(DismantlerTest, TakesInstancesApart) {
  for (const char* kind : {"types.SimpleNamespace()", "collections.OrderedDict()",
                           "type('Slots', (), {'__slots__': ('a', 'b', '__dict__')})()"}) {
    const Strong names =
        testing::run("import collections, types\nmake = lambda: " + std::string(kind) + "\n");
    PyObject* make = PyDict_GetItemString(names.get(), "make");
    Deaths deaths;
    Strong outer = PyList_New(0);
    for (int i = 0; i < 10; ++i) {
      const Strong instance = PyObject_CallNoArgs(make);
      const Strong list = list_of(deaths.make(10));
      const Strong more = list_of(deaths.make(10));
      ASSERT_EQ(PyObject_SetAttrString(instance.get(), "a", list.get()), 0);
      ASSERT_EQ(PyObject_SetAttrString(instance.get(), "b", more.get()), 0);
      ASSERT_EQ(PyList_Append(outer.get(), instance.get()), 0);
    }
    PyObject* object = std::move(outer).release();
    ASSERT_TRUE(dismantler().try_add_any(object));
    for (int steps = 0; dismantler().size() > 0; ++steps) {
      const int before = deaths.count();
      work(1);
      ASSERT_LE(deaths.count() - before, 1) << kind << ": no step does more than one";
      ASSERT_LT(steps, 10000);
    }
    EXPECT_EQ(deaths.count(), 200) << kind;
  }
}

TEST_F(DismantlerTest, InstancesEndBeforeWhatTheyHold) {
  const Strong names = testing::run(
      "said = []\n"
      "class Part:\n"
      "  def __init__(self, name, *parts): self.name, self.parts = name, list(parts)\n"
      "  def __del__(self): said.append((self.name, [part.name for part in self.parts]))\n"
      "kept = Part('kept')\n"
      "whole = Part('whole', Part('left', Part('leaf')), kept)\n");
  Strong whole = Py_NewRef(PyDict_GetItemString(names.get(), "whole"));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "whole"), 0);
  ASSERT_TRUE(dismantler().try_add_any(whole.get()));
  (void)std::move(whole).release();
  work(kAll);
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "said")),
            "[('whole', ['left', 'kept']), ('left', ['leaf']), ('leaf', [])]");
  EXPECT_EQ(Py_REFCNT(PyDict_GetItemString(names.get(), "kept")), 1);
}

TEST_F(DismantlerTest, LinkedInstancesNeedNeitherStackNorMemory) {
  const Strong names = testing::run(
      "class Node: __slots__ = ('next',)\n"
      "def chain(count):\n"
      "  first = None\n"
      "  for i in range(count):\n"
      "    node = Node()\n"
      "    node.next, first = first, node\n"
      "  return first\n");
  PyObject* make = PyDict_GetItemString(names.get(), "chain");
  Strong first = PyObject_CallFunction(make, "i", 300'000);
  ASSERT_TRUE(dismantler().try_add_any(first.get()));
  (void)std::move(first).release();
  size_t most = 0;
  for (int i = 0; dismantler().size() > 0; ++i) {
    work(1);
    most = std::max(most, dismantler().size());
    ASSERT_LE(i, 400'000);
  }
  EXPECT_LE(most, 2U);
}

TEST_F(DismantlerTest, InstancesMayComeBackToLife) {
  const Strong names = testing::run(
      "saved = []\n"
      "class Lazarus:\n"
      "  def __init__(self): self.parts = [1, 2]\n"
      "  def __del__(self): saved.append(self)\n"
      "one = [Lazarus()]\n");
  Strong one = Py_NewRef(PyDict_GetItemString(names.get(), "one"));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "one"), 0);
  ASSERT_TRUE(add(std::move(one)));
  work(kAll);
  const Strong parts =
      attribute(PyList_GetItem(PyDict_GetItemString(names.get(), "saved"), 0), "parts");
  EXPECT_EQ(testing::repr(parts.get()), "[1, 2]");
}

TEST_F(DismantlerTest, OnlyDropsWhatOthersHold) {
  Deaths deaths;
  const Strong mortal = deaths.make();
  const Strong inner = list_of(deaths.make(10));
  Strong outer = PyTuple_Pack(2, inner.get(), mortal.get());
  ASSERT_TRUE(add(std::move(outer)));
  work(kAll);
  EXPECT_EQ(PyList_Size(inner.get()), 10);
  EXPECT_EQ(Py_REFCNT(inner.get()), 1);
  EXPECT_EQ(Py_REFCNT(mortal.get()), 1);
  EXPECT_EQ(deaths.count(), 0);
}

// The collector breaks cycles; what is part of one has two references.
TEST_F(DismantlerTest, LeavesCyclesToTheCollector) {
  Deaths deaths;
  Strong list = list_of(deaths.make(3));
  ASSERT_EQ(PyList_Append(list.get(), list.get()), 0);
  EXPECT_FALSE(add(std::move(list)));
  EXPECT_EQ(deaths.count(), 0);
  PyGC_Collect();
  EXPECT_EQ(deaths.count(), 3);
}

// Each holds the next and nothing else.
Strong chain(int depth, bool of_lists, PyObject* last) {
  Strong next = last;
  for (int i = 0; i < depth; ++i) {
    Strong link = of_lists ? PyList_New(1) : PyTuple_New(1);
    if (of_lists) {
      PyList_SET_ITEM(link.get(), 0, std::move(next).release());
    } else {
      PyTuple_SET_ITEM(link.get(), 0, std::move(next).release());
    }
    next = std::move(link);
  }
  return next;
}

TEST_F(DismantlerTest, DeepChainsNeedNoStack) {
  for (const bool of_lists : {false, true}) {
    Deaths deaths;
    ASSERT_TRUE(add(chain(1'000'000, of_lists, deaths.make().release())));
    work(kAll);
    EXPECT_EQ(deaths.count(), 1);
  }
}

TEST_F(DismantlerTest, ChainsNeedNoMemory) {
  for (const bool of_lists : {false, true}) {
    Deaths deaths;
    ASSERT_TRUE(add(chain(1000, of_lists, deaths.make().release())));
    size_t most = 0;
    while (dismantler().size() > 0) {
      work(1);
      most = std::max(most, dismantler().size());
    }
    EXPECT_LE(most, 2U);
    EXPECT_EQ(deaths.count(), 1);
  }
}

TEST_F(DismantlerTest, DestructorsMayDoAnything) {
  Deaths deaths;
  int collected = 0;
  std::vector<PyObject*> objects;
  for (int i = 0; i < 30; ++i) {
    objects.push_back(testing::new_mortal([&] {
                        const Strong ran = testing::run(
                            "import gc\n"
                            "gc.collect()\n"
                            "all = gc.get_objects()\n"
                            "[gc.get_referrers(one) for one in all[:3]]\n"
                            "del all\n");
                        ++collected;
                        add(list_of(deaths.make(5)));
                        work(3);  // inside a step
                      }).release());
    // A container that the collector shows while its turn has not come.
    objects.push_back(list_of(deaths.make(5)).release());
  }
  ASSERT_TRUE(add(list_of(objects)));
  work(kAll);
  EXPECT_EQ(collected, 30);
  EXPECT_EQ(deaths.count(), 300);
}

TEST_F(DismantlerTest, SeveralThreadsMayTakeTurns) {
  Deaths deaths;
  std::vector<PyObject*> objects;
  for (int i = 0; i < 300; ++i) {
    objects.push_back(testing::new_mortal([] {
                        const Detach detach;
                        std::this_thread::yield();
                      }).release());
    objects.push_back(list_of(deaths.make(5)).release());
  }
  ASSERT_TRUE(add(list_of(objects)));
  {
    const Detach detach;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([] {
        const Attach attach(DecrefQueue::main()->gate());
        work(kAll);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  testing::settle();
  EXPECT_EQ(deaths.count(), 1500);
}

TEST_F(DismantlerTest, ReportsErrorsOfDestructors) {
  const Strong names = testing::run(
      "class Sample:\n"
      "  def __del__(self): raise KeyError('said by a destructor')\n"
      "reports = []\n"
      "sys.unraisablehook = lambda report: reports.append(report.exc_type.__name__)\n"
      "samples = [Sample() for i in range(3)]\n");
  Strong samples = Py_NewRef(PyDict_GetItemString(names.get(), "samples"));
  ASSERT_EQ(PyDict_DelItemString(names.get(), "samples"), 0);
  ASSERT_TRUE(add(std::move(samples)));
  work(kAll);
  const Strong restored = evaluate("setattr(sys, 'unraisablehook', sys.__unraisablehook__)");
  EXPECT_EQ(testing::repr(PyDict_GetItemString(names.get(), "reports")),
            "['KeyError', 'KeyError', 'KeyError']");
}

TEST_F(DismantlerTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    ASSERT_TRUE(
        add(evaluate("[[object()] * 3, {str(i): [i] for i in range(50)}, {1.5: 2.5}, "
                     "tuple([{i} for i in range(70)]), frozenset([7]), 'text']")));
    work(20);
    work(kAll);
  });
}

}  // namespace
}  // namespace tenure
