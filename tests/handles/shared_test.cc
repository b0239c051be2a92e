#include "tenure/handles/shared.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace {
// Makes allocations that may fail do so.
std::atomic<bool> no_memory{false};
}  // namespace

void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return no_memory ? nullptr : std::malloc(bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void* operator new(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;
using testing::on_another_thread;

static_assert(sizeof(Shared<>) == 2 * sizeof(void*));
static_assert(!std::is_default_constructible_v<Shared<>>);
static_assert(std::is_nothrow_copy_constructible_v<Shared<>>);
static_assert(std::is_nothrow_move_constructible_v<Shared<>>);
static_assert(std::is_nothrow_copy_assignable_v<Shared<>>);
static_assert(std::is_nothrow_move_assignable_v<Shared<>>);
static_assert(std::is_nothrow_destructible_v<Shared<>>);

DecrefQueue& queue() { return *DecrefQueue::main(); }

template <WhenDetached kPolicy = WhenDetached::kDefer>
Shared<Object, kPolicy> share(Strong object) {
  return *Shared<Object, kPolicy>::make(Owned<>::steal(std::move(object).release()));
}

class SharedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    testing::expect_balanced(queue());
  }

  const Bound bound_{1h};
};

TEST_F(SharedTest, TakesAReferenceOver) {
  const Strong list = PyList_New(0);
  {
    const Shared<> shared = share(Py_NewRef(list.get()));
    EXPECT_EQ(Py_REFCNT(list.get()), 2);
    EXPECT_EQ(shared.get(Attached::current()).get(), list.get());
    EXPECT_EQ(shared.holders(), 1U);
    EXPECT_EQ(&shared.queue(), &queue());
    EXPECT_EQ(&shared.gate(), &queue().gate());
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST_F(SharedTest, CopiesWithoutCountingInPython) {
  const Strong list = PyList_New(0);
  const Shared<> shared = share(Py_NewRef(list.get()));
  on_another_thread([&] {
    std::vector<Shared<>> copies(100, shared);
    EXPECT_EQ(shared.holders(), 101U);
    EXPECT_EQ(Py_REFCNT(list.get()), 2);
    copies.resize(50, shared);
    EXPECT_EQ(shared.holders(), 51U);
  });
  EXPECT_EQ(shared.holders(), 1U);
  EXPECT_EQ(Py_REFCNT(list.get()), 2);
}

// Increfs are never put off: a Python reference of one's own is made attached.
TEST_F(SharedTest, GivesPythonReferencesWhereItIsAttached) {
  const Strong list = PyList_New(0);
  const Shared<> shared = share(Py_NewRef(list.get()));
  on_another_thread([&] {
    const Attach attach(shared.gate());
    ASSERT_TRUE(attach);
    {
      const Owned<> mine = shared.new_ref(attach.token());
      EXPECT_EQ(mine.get(), list.get());
      EXPECT_EQ(Py_REFCNT(list.get()), 3) << "made at once";
    }
    EXPECT_EQ(Py_REFCNT(list.get()), 2) << "and dropped at once";
  });
  EXPECT_EQ(shared.holders(), 1U);
}

TEST_F(SharedTest, TheLastToGoDrops) {
  Deaths deaths;
  std::optional<Shared<>> first = share(deaths.make());
  std::optional<Shared<>> second = first;
  first.reset();
  EXPECT_EQ(deaths.count(), 0);
  second.reset();
  EXPECT_EQ(deaths.count(), 1) << "attached: at once";

  first = share(deaths.make());
  second = first;
  const uint64_t pushed = queue().stats().pushed;
  on_another_thread([&] { first.reset(); });
  EXPECT_EQ(queue().stats().pushed, pushed) << "it was not the last";
  on_another_thread([&] { second.reset(); });
  EXPECT_EQ(queue().stats().pushed, pushed + 1);
  EXPECT_EQ(deaths.count(), 1);
  queue().flush();
  EXPECT_EQ(deaths.count(), 2);
}

TEST_F(SharedTest, MovesAndAssigns) {
  Deaths first;
  Deaths second;
  Shared<> a = share(first.make());
  Shared<> b = std::move(a);
  EXPECT_EQ(b.holders(), 1U);
  a = b;  // what was moved from may be assigned to
  EXPECT_EQ(b.holders(), 2U);
  Shared<>& same = a;
  a = same;
  EXPECT_EQ(b.holders(), 2U);
  a = std::move(same);
  EXPECT_EQ(b.holders(), 2U);
  a = share(second.make());
  EXPECT_EQ(b.holders(), 1U);
  b = std::move(a);
  EXPECT_EQ(first.count(), 1);
  EXPECT_EQ(second.count(), 0);
  const Shared<> of_empty = a;  // NOLINT(bugprone-use-after-move): copying nothing is allowed
}

TEST_F(SharedTest, ShowsDestructorsTheNewObject) {
  const Strong list = PyList_New(0);
  std::optional<Shared<>> shared;
  PyObject* seen = nullptr;
  shared = share(testing::new_mortal([&] { seen = shared->get(Attached::current()).get(); }));
  *shared = share(Py_NewRef(list.get()));
  EXPECT_EQ(seen, list.get());
}

TEST_F(SharedTest, ManyThreadsHoldAndDrop) {
  constexpr int kThreads = 8;
  Deaths deaths;
  for (int round = 0; round < 50; ++round) {
    std::optional<Shared<>> shared = share(deaths.make());
    const Detach detach;
    std::vector<std::thread> threads;
    std::atomic<bool> go{false};
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&go, mine = *shared] {
        while (!go) std::this_thread::yield();
        for (int i = 0; i < 100; ++i) const Shared<> copy = mine;
      });
    }
    shared.reset();
    go = true;
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().flush(), 50U);
  EXPECT_EQ(deaths.count(), 50);
}

TEST_F(SharedTest, IsDeferredWhereAnotherInterpreterIsAttached) {
  testing::Subinterpreter other(testing::Gil::kOwn);
  Deaths deaths;
  std::optional<Shared<>> shared = share(deaths.make());
  other.run([&] {
    const Shared<> copy = *shared;
    shared.reset();
  });
  EXPECT_EQ(deaths.count(), 0);
  queue().flush();
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

TEST_F(SharedTest, HasPoliciesForTheLast) {
  Deaths deaths;
  std::optional<Shared<Object, WhenDetached::kBlock>> waits;
  waits = share<WhenDetached::kBlock>(deaths.make());
  on_another_thread([&] {
    waits.reset();
    EXPECT_EQ(deaths.count(), 1);
  });
  const Strong object = deaths.make();
  std::optional<Shared<Object, WhenDetached::kLeak>> leaks;
  leaks = share<WhenDetached::kLeak>(Py_NewRef(object.get()));
  const uint64_t leaked = queue().stats().leaked;
  on_another_thread([&] {
    std::optional copy = leaks;
    leaks.reset();
    EXPECT_EQ(queue().stats().leaked, leaked);
    copy.reset();
    EXPECT_EQ(queue().stats().leaked, leaked + 1);
  });
  EXPECT_EQ(Py_REFCNT(object.get()), 2);
  Py_DECREF(object.get());
}

using SharedDeathTest = SharedTest;

TEST_F(SharedDeathTest, MayEndTheProgramInstead) {
  using Aborts = Shared<Object, WhenDetached::kAbort>;
  EXPECT_DEATH(
      {
        std::optional<Aborts> shared = share<WhenDetached::kAbort>(PyList_New(0));
        on_another_thread([&] { shared.reset(); });
      },
      "policy is to abort was dropped on a thread that is not attached");
}

TEST_F(SharedTest, FailsWithoutMemoryForTheCount) {
  const Strong list = PyList_New(0);
  no_memory = true;
  std::optional<Shared<>> shared = Shared<>::make(Owned<>::steal(Py_NewRef(list.get())));
  no_memory = false;
  EXPECT_FALSE(shared);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
  shared = Shared<>::make(Owned<>::steal(Py_NewRef(list.get())));
  ASSERT_TRUE(shared);
  EXPECT_EQ(Py_REFCNT(list.get()), 2);
}

TEST_F(SharedTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    Shared<> a = share(PyList_New(0));
    Shared<> b = a;
    b = share(PyDict_New());
    on_another_thread([&] {
      const Shared<> c = std::move(a);
      const Shared<> d = c;
    });
    queue().flush();
  });
}

}  // namespace
}  // namespace tenure
