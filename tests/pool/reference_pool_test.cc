#include "tenure/pool/reference_pool.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/strong.h"
#include "tenure/handles/handles.h"
#include "tenure/tests/pool/chunk_memory.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::pool {
namespace {

using testing::Deaths;
using testing::FailingChunks;
using testing::Gil;
using testing::new_mortal;

static_assert(!std::is_copy_constructible_v<ReferencePool>);
static_assert(!std::is_move_constructible_v<ReferencePool>);

// Has `pool` keep new objects.
void fill(ReferencePool& pool, Deaths& deaths, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    ASSERT_NE(pool.keep(deaths.make().release()), nullptr);
  }
}

TEST(ReferencePoolTest, DropsAllAtItsEnd) {
  for (const size_t count : {0U, 1U, 31U, 32U, 33U, 541U, 542U, 10'000U, 100'000U}) {
    Deaths deaths;
    {
      ReferencePool pool;
      fill(pool, deaths, count);
      EXPECT_EQ(pool.size(), count);
      EXPECT_EQ(deaths.count(), 0);
    }
    EXPECT_EQ(deaths.count(), static_cast<int>(count));
    EXPECT_EQ(deaths.elsewhere(), 0);
  }
}

TEST(ReferencePoolTest, AnswersWhatItKeeps) {
  ReferencePool pool;
  PyObject* const list = PyList_New(0);
  EXPECT_EQ(pool.keep(list), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
  EXPECT_EQ(pool.keep(static_cast<PyObject*>(nullptr)), nullptr);
  EXPECT_EQ(pool.size(), 1U);
}

TEST(ReferencePoolTest, KeepsHandles) {
  Deaths deaths;
  {
    ReferencePool pool;
    const Borrowed<Dict> dict = pool.keep(Dict::make().take());
    static_assert(std::is_same_v<decltype(pool.keep(std::declval<Owned<Dict>>())), Borrowed<Dict>>);
    static_assert(std::is_same_v<decltype(pool.keep(Dict::make())), Result<Borrowed<Dict>>>);
    EXPECT_EQ(Py_REFCNT(dict.get()), 1);
    Result<Borrowed<List>> list = pool.keep(List::make());
    ASSERT_TRUE(list);
    EXPECT_EQ(Py_REFCNT((*list).get()), 1);
    Owned<> mortal = Owned<>::steal(deaths.make().release());
    (void)pool.keep(std::move(mortal));
    EXPECT_EQ(pool.size(), 3U);
    EXPECT_NE(pool.keep(deaths.make()), nullptr) << "a Strong is one too";
    EXPECT_EQ(deaths.count(), 0);
  }
  EXPECT_EQ(deaths.count(), 2);
}

TEST(ReferencePoolTest, KeepsErrorsAsTheyAre) {
  ReferencePool pool;
  const Result<Borrowed<>> failed =
      pool.keep(Result<>(PyErr_Format(PyExc_KeyError, "no such thing")));
  EXPECT_FALSE(failed);
  EXPECT_EQ(testing::take_error(), "KeyError");
  EXPECT_EQ(pool.size(), 0U);
}

TEST(ReferencePoolTest, DropsTheNewestFirst) {
  std::vector<int> order;
  {
    ReferencePool pool;
    for (int i = 0; i < 1000; ++i) {
      pool.keep(new_mortal([&order, i] { order.push_back(i); }).release());
    }
  }
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[i], 999 - i);
}

TEST(ReferencePoolTest, Nests) {
  Deaths outer_deaths;
  Deaths inner_deaths;
  EXPECT_EQ(ReferencePool::current(), nullptr);
  {
    ReferencePool outer;
    EXPECT_EQ(ReferencePool::current(), &outer);
    fill(outer, outer_deaths, 40);
    for (int round = 0; round < 3; ++round) {
      ReferencePool inner;
      EXPECT_EQ(ReferencePool::current(), &inner);
      fill(inner, inner_deaths, 600);
      fill(outer, outer_deaths, 1);
    }
    EXPECT_EQ(ReferencePool::current(), &outer);
    EXPECT_EQ(inner_deaths.count(), 1800);
    EXPECT_EQ(outer_deaths.count(), 0);
  }
  EXPECT_EQ(outer_deaths.count(), 43);
  EXPECT_EQ(ReferencePool::current(), nullptr);
}

TEST(ReferencePoolTest, EndsWhenAnExceptionPasses) {
  Deaths deaths;
  EXPECT_THROW(
      {
        ReferencePool outer;
        fill(outer, deaths, 50);
        ReferencePool inner;
        fill(inner, deaths, 50);
        throw std::runtime_error("passes");
      },
      std::runtime_error);
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(ReferencePool::current(), nullptr);
}

TEST(ReferencePoolTest, DestructorsMayUsePools) {
  Deaths deaths;
  {
    ReferencePool outer;
    std::optional<ReferencePool> inner;
    inner.emplace();
    for (int i = 0; i < 700; ++i) {
      inner->keep(new_mortal([&] {
                    EXPECT_EQ(ReferencePool::current(), &outer);
                    ReferencePool::current()->keep(deaths.make().release());
                    ReferencePool nested;
                    EXPECT_EQ(ReferencePool::current(), &nested);
                    fill(nested, deaths, 40);
                  }).release());
    }
    inner.reset();
    EXPECT_EQ(deaths.count(), 700 * 40);
    EXPECT_EQ(outer.size(), 700U);
  }
  EXPECT_EQ(deaths.count(), 700 * 41);
}

TEST(ReferencePoolTest, DestructorsMayKeepInTheVeryPool) {
  Deaths deaths;
  int rounds = 0;
  std::function<void(ReferencePool&)> again = [&](ReferencePool& pool) {
    fill(pool, deaths, 1000);
    if (++rounds < 20) pool.keep(new_mortal([&] { again(pool); }).release());
  };
  {
    ReferencePool pool;
    fill(pool, deaths, 10);
    pool.keep(new_mortal([&] { again(pool); }).release());
    fill(pool, deaths, 600);
  }
  EXPECT_EQ(rounds, 20);
  EXPECT_EQ(deaths.count(), 20'610);
}

TEST(ReferencePoolTest, KeepsThePendingError) {
  Deaths deaths;
  {
    ReferencePool pool;
    pool.keep(new_mortal([&] { EXPECT_EQ(PyErr_Occurred(), nullptr); }).release());
    fill(pool, deaths, 100);
    PyErr_SetString(PyExc_KeyError, "stays");
  }
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(testing::take_error(), "KeyError");
}

// What destructors raise is told to sys.unraisablehook.
class UnraisableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hook_ = testing::run(
        "import sys\n"
        "said = []\n"
        "sys.unraisablehook = lambda one: said.append(f'{one.exc_type.__name__}: "
        "{one.exc_value}')\n");
  }
  void TearDown() override {
    (void)testing::run("import sys\nsys.unraisablehook = sys.__unraisablehook__\n");
  }

  std::string said() { return testing::repr(PyDict_GetItemString(hook_.get(), "said")); }

 private:
  Strong hook_;
};

TEST_F(UnraisableTest, ErrorsOfDestructorsAreReported) {
  const bool is_debug = testing::reference_total() > 0;
  Deaths deaths;
  {
    ReferencePool pool;
    fill(pool, deaths, 5);
    // Debug interpreters end the process at that.
    if (!is_debug) {
      pool.keep(new_mortal([] { PyErr_SetString(PyExc_ValueError, "of C"); }).release());
    }
    fill(pool, deaths, 5);
    const Strong names = testing::run(
        "class Raising:\n"
        "    def __del__(self): raise TypeError('of Python')\n"
        "made = Raising()\n");
    pool.keep(Py_NewRef(PyDict_GetItemString(names.get(), "made")));
    PyDict_Clear(names.get());
  }
  EXPECT_EQ(PyErr_Occurred(), nullptr);
  EXPECT_EQ(deaths.count(), 10);
  EXPECT_EQ(said(),
            is_debug ? "['TypeError: of Python']" : "['TypeError: of Python', 'ValueError: of C']");
}

// What listens to the end of objects hears of all of them.
TEST(ReferencePoolTest, EndsAreTraced) {
  static int ended = 0;
  ended = 0;
  ReferencePool::Statistics before = ReferencePool::statistics();
  ASSERT_EQ(PyRefTracer_SetTracer(
                [](PyObject* object, PyRefTracerEvent event, void*) {
                  ended += event == PyRefTracer_DESTROY && PyFloat_CheckExact(object) ? 1 : 0;
                  return 0;
                },
                nullptr),
            0);
  {
    ReferencePool pool;
    for (int i = 0; i < 1000; ++i) pool.keep(PyFloat_FromDouble(i));
  }
  ASSERT_EQ(PyRefTracer_SetTracer(nullptr, nullptr), 0);
  EXPECT_EQ(ended, 1000);
  EXPECT_EQ(ReferencePool::statistics().grown, before.grown + 1);
}

// Each of them as _Py_Dealloc() would have done it.
TEST(ReferencePoolTest, DropsObjectsOfAllKinds) {
  const Strong names = testing::run(
      "import sys, weakref\n"
      "class Plain: pass\n"
      "class Slots: __slots__ = ('__weakref__',)\n"
      "class Number(float): pass\n"
      "nested = ()\n"
      "for _ in range(200_000): nested = (nested,)\n"
      "died = []\n"
      "made = [Plain(), Slots(), Number(1.5)]\n"
      "refs = [weakref.ref(one, died.append) for one in made]\n"
      "made += [nested, 1.5e300 * 2, 10**30, 'a text ' * 3, b'x' * 100, 5, None, True, (), 'a',\n"
      "         [1, 2.5], {1: 2.5}, {3.5}, iter([1]), object(), memoryview(b'abc'), type, Plain]\n"
      "del nested\n");
  {
    ReferencePool pool;
    PyObject* const made = PyDict_GetItemString(names.get(), "made");
    for (Py_ssize_t i = 0; i < PyList_Size(made); ++i) {
      pool.keep(Py_NewRef(PyList_GetItem(made, i)));
    }
    ASSERT_EQ(PyList_SetSlice(made, 0, PyList_Size(made), nullptr), 0);
    EXPECT_EQ(PyList_Size(PyDict_GetItemString(names.get(), "died")), 0);
  }
  EXPECT_EQ(PyList_Size(PyDict_GetItemString(names.get(), "died")), 3);
}

TEST(ReferencePoolTest, EachThreadHasItsOwn) {
  Deaths deaths;
  ReferencePool pool;
  fill(pool, deaths, 10);
  {
    const Detach detach;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const PyGILState_STATE state = PyGILState_Ensure();
        EXPECT_EQ(ReferencePool::current(), nullptr);
        for (int round = 0; round < 50; ++round) {
          ReferencePool own;
          EXPECT_EQ(ReferencePool::current(), &own);
          fill(own, deaths, 100);
          {
            const Detach other_threads_run;
            std::this_thread::yield();
          }
          EXPECT_EQ(ReferencePool::current(), &own);
          EXPECT_EQ(own.size(), 100U);
        }
        PyGILState_Release(state);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(ReferencePool::current(), &pool);
  EXPECT_EQ(deaths.count(), 4 * 50 * 100);
}

TEST(ReferencePoolTest, DestructorsMayLetOtherThreadsRun) {
  Deaths deaths;
  ReferencePool outer;
  {
    ReferencePool pool;
    pool.keep(new_mortal([&] {
                testing::on_another_thread([&] {
                  const PyGILState_STATE state = PyGILState_Ensure();
                  {
                    ReferencePool own;
                    fill(own, deaths, 100);
                  }
                  PyGILState_Release(state);
                });
                EXPECT_EQ(ReferencePool::current(), &outer);
              }).release());
    fill(pool, deaths, 100);
  }
  EXPECT_EQ(deaths.count(), 200);
}

TEST(ReferencePoolTest, EachInterpreterHasItsOwn) {
  for (const Gil gil : {Gil::kOwn, Gil::kShared}) {
    testing::Subinterpreter other(gil);
    Deaths deaths;
    std::optional<Deaths> others;
    ReferencePool pool;
    fill(pool, deaths, 10);
    other.run([&] {
      EXPECT_EQ(ReferencePool::current(), nullptr);
      others.emplace();
      ReferencePool own;
      fill(own, *others, 1000);
      EXPECT_EQ(ReferencePool::current(), &own);
      PyThreadState* const here = PyThreadState_Swap(nullptr);
      PyThreadState_Swap(here);
      EXPECT_EQ(own.size(), 1000U);
    });
    EXPECT_EQ(ReferencePool::current(), &pool);
    EXPECT_EQ(others->count(), 1000);
    EXPECT_EQ(others->elsewhere(), 0);
    other.end();
    EXPECT_EQ(deaths.count(), 0);
  }
}

TEST(ReferencePoolTest, GoesOnInTheChildOfAFork) {
  Deaths deaths;
  std::optional<ReferencePool> pool;
  pool.emplace();
  fill(*pool, deaths, 1000);
  testing::expect_in_child([&] {
    EXPECT_EQ(ReferencePool::current(), &*pool);
    fill(*pool, deaths, 10'000);
    pool.reset();
    EXPECT_EQ(deaths.count(), 11'000);
  });
  EXPECT_EQ(deaths.count(), 0);
  pool.reset();
  EXPECT_EQ(deaths.count(), 1000);
}

TEST(ReferencePoolTest, OutOfMemoryAtEveryChunk) {
  for (long n = 0;; ++n) {
    Deaths deaths;
    int kept = 0;
    bool failed = false;
    long live = -1;
    {
      FailingChunks memory(n);
      {
        ReferencePool pool;
        for (; kept < 20'000 && !failed; ++kept) {
          failed = pool.keep(deaths.make().release()) == nullptr;
        }
        if (failed) {
          EXPECT_EQ(testing::take_error(), "MemoryError");
          EXPECT_EQ(deaths.count(), 1) << "the one that was to be kept";
          EXPECT_EQ(pool.size(), static_cast<size_t>(kept - 1));
          const Result<Borrowed<>> refused = pool.keep(Result<>(PyList_New(0)));
          EXPECT_FALSE(refused);
          EXPECT_EQ(testing::take_error(), "MemoryError");
        }
      }
      live = memory.live();
    }
    EXPECT_EQ(deaths.count(), kept);
    EXPECT_EQ(live, 0) << n;
    if (!failed) {
      EXPECT_GT(n, 3);
      break;
    }
  }
}

TEST(ReferencePoolTest, Counts) {
  const ReferencePool::Statistics before = ReferencePool::statistics();
  {
    ReferencePool pool;
    for (int i = 0; i < 10; ++i) pool.keep(PyList_New(0));
  }
  EXPECT_EQ(ReferencePool::statistics().grown, before.grown);
  Deaths deaths;
  {
    ReferencePool pool;
    fill(pool, deaths, 1000);
  }
  EXPECT_EQ(ReferencePool::statistics().grown, before.grown + 1);
  EXPECT_EQ(ReferencePool::statistics().overgrown, before.overgrown);
  const Strong list = PyList_New(0);
  const size_t many = before.high_water + 2 * ReferencePool::kOvergrown;
  {
    ReferencePool pool;
    PyErr_SetString(PyExc_KeyError, "so that it does not warn");
    for (size_t i = 0; i < many; ++i) pool.keep(Py_NewRef(list.get()));
    EXPECT_EQ(testing::take_error(), "KeyError");
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  const ReferencePool::Statistics after = ReferencePool::statistics();
  EXPECT_EQ(after.overgrown, before.overgrown + 1) << "once for a pool";
  EXPECT_EQ(after.high_water, many);
  EXPECT_EQ(after.detached, before.detached);
}

TEST(ReferencePoolTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    ReferencePool pool;
    for (int i = 0; i < 2000; ++i) pool.keep(PyList_New(0));
    (void)pool.keep(Dict::make());
  });
}

#ifndef NDEBUG
class WarningTest : public UnraisableTest {
 protected:
  static Strong catch_warnings(const char* action) {
    return testing::run(std::string("import warnings\n"
                                    "caught = warnings.catch_warnings(record=True)\n"
                                    "said = caught.__enter__()\n"
                                    "warnings.simplefilter('") +
                        action + "')\n");
  }
  static void leak(size_t count) {
    const Strong list = PyList_New(0);
    ReferencePool pool;
    for (size_t i = 0; i < count; ++i) ASSERT_NE(pool.keep(Py_NewRef(list.get())), nullptr);
    EXPECT_EQ(pool.size(), count);
  }
};

TEST_F(WarningTest, WarnsWhenItHasDoubled) {
  const Strong names = catch_warnings("always");
  leak(4 * ReferencePool::kOvergrown);
  PyObject* const said = PyDict_GetItemString(names.get(), "said");
  EXPECT_EQ(PyList_Size(said), 2);
  const std::string text =
      testing::repr(testing::attribute(PyList_GetItem(said, 0), "message").get());
  EXPECT_NE(text.find("ResourceWarning('the ReferencePool of reference_pool_test.cc:"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("own what a loop makes by its turn"), std::string::npos) << text;
  leak(ReferencePool::kOvergrown / 2);
  EXPECT_EQ(PyList_Size(said), 2);
  PyObject_CallMethod(PyDict_GetItemString(names.get(), "caught"), "__exit__", "OOO", Py_None,
                      Py_None, Py_None);
}

TEST_F(WarningTest, WarningsThatAreErrorsAreUnraisable) {
  const Strong names = catch_warnings("error");
  leak(ReferencePool::kOvergrown + 50'000);
  EXPECT_EQ(PyErr_Occurred(), nullptr);
  PyObject_CallMethod(PyDict_GetItemString(names.get(), "caught"), "__exit__", "OOO", Py_None,
                      Py_None, Py_None);
  EXPECT_EQ(said().find("['ResourceWarning: the ReferencePool of"), 0U) << said();
}

using ReferencePoolDeathTest = ::testing::Test;

TEST(ReferencePoolDeathTest, EndsDetached) {
  EXPECT_DEATH(
      {
        ReferencePool pool;
        PyEval_SaveThread();
        pool.~ReferencePool();
      },
      "ends where its interpreter is attached");
}

TEST(ReferencePoolDeathTest, EndsOutOfOrder) {
  EXPECT_DEATH(
      {
        std::optional<ReferencePool> first;
        first.emplace();
        ReferencePool second;
        first.reset();
      },
      "innermost == this");
}
#else
// An error in the program; what becomes of the references is defined all the same.
TEST(ReferencePoolTest, EndsDetached) {
  DecrefQueue* const queue = DecrefQueue::current();
  ASSERT_NE(queue, nullptr);
  const testing::Bound bound(std::chrono::hours(1));
  const ReferencePool::Statistics before = ReferencePool::statistics();
  Deaths deaths;
  {
    std::optional<ReferencePool> pool;
    pool.emplace();
    fill(*pool, deaths, 1000);
    const Detach detach;
    pool.reset();
  }
  EXPECT_EQ(deaths.count(), 0);
  queue->flush();
  EXPECT_EQ(deaths.count(), 1000);
  EXPECT_EQ(ReferencePool::statistics().detached, before.detached + 1000);
}

TEST(ReferencePoolTest, EndsWithAnotherInterpreterAttached) {
  testing::Subinterpreter other(Gil::kOwn);
  const testing::Bound bound(std::chrono::hours(1));
  Deaths deaths;
  std::optional<ReferencePool> pool;
  pool.emplace();
  fill(*pool, deaths, 100);
  other.run([&] { pool.reset(); });
  EXPECT_EQ(deaths.count(), 0);
  DecrefQueue::current()->flush();
  EXPECT_EQ(deaths.count(), 100);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

TEST(ReferencePoolTest, EndsOutOfOrder) {
  Deaths deaths;
  std::optional<ReferencePool> first;
  first.emplace();
  {
    ReferencePool second;
    fill(*first, deaths, 50);
    first.reset();
    EXPECT_EQ(deaths.count(), 50);
    EXPECT_EQ(ReferencePool::current(), &second);
  }
  EXPECT_EQ(ReferencePool::current(), nullptr);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ReferencePoolAbortDeathTest, NoMemoryForAnOwned) {
  EXPECT_DEATH(
      {
        const FailingChunks memory(0);
        ReferencePool pool;
        for (int i = 0; i < 100; ++i) (void)pool.keep(Owned<>::steal(PyList_New(0)));
      },
      "no memory for a ReferencePool to keep an Owned in");
}
#endif

}  // namespace
}  // namespace tenure::pool
