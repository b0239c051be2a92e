#include "tenure/handles/sendable.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;
using testing::on_another_thread;

static_assert(sizeof(Sendable<>) == 2 * sizeof(void*));
static_assert(sizeof(Sendable<Object, WhenDetached::kBlock>) == 2 * sizeof(void*));
static_assert(!std::is_default_constructible_v<Sendable<>>);
static_assert(!std::is_copy_constructible_v<Sendable<>> && !std::is_copy_assignable_v<Sendable<>>);
static_assert(std::is_nothrow_move_constructible_v<Sendable<>>);
static_assert(std::is_nothrow_move_assignable_v<Sendable<>>);
static_assert(std::is_nothrow_destructible_v<Sendable<>>);
static_assert(!std::is_convertible_v<Sendable<>, Sendable<Object, WhenDetached::kLeak>>,
              "a policy is for the object's whole life");

DecrefQueue& queue() { return *DecrefQueue::main(); }

template <WhenDetached kPolicy = WhenDetached::kDefer>
Sendable<Object, kPolicy> send(Strong object) {
  return *Sendable<Object, kPolicy>::make(Owned<>::steal(std::move(object).release()));
}

class SendableTest : public ::testing::Test {
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

TEST_F(SendableTest, TakesAReferenceOver) {
  const Strong list = PyList_New(0);
  {
    Owned<> owner = Owned<>::steal(Py_NewRef(list.get()));
    const std::optional<Sendable<>> sendable = Sendable<>::make(std::move(owner));
    ASSERT_TRUE(sendable);
    EXPECT_EQ(Py_REFCNT(list.get()), 2);
    EXPECT_EQ(sendable->get(Attached::current()).get(), list.get());
    EXPECT_EQ(&sendable->queue(), &queue());
    EXPECT_EQ(&sendable->gate(), &queue().gate());
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST_F(SendableTest, IsDroppedAtOnceWhereItIsAttached) {
  Deaths deaths;
  const uint64_t pushed = queue().stats().pushed;
  {
    const Sendable<> sendable = send(deaths.make());
  }
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(queue().stats().pushed, pushed);
}

TEST_F(SendableTest, IsDeferredWhereItIsNot) {
  Deaths deaths;
  std::optional<Sendable<>> sendable = send(deaths.make());
  on_another_thread([&] { sendable.reset(); });
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(deaths.count(), 1);
  sendable = send(deaths.make());
  {
    const Detach detach;
    sendable.reset();
  }
  EXPECT_EQ(deaths.count(), 1);
  queue().flush();
  EXPECT_EQ(deaths.count(), 2);
}

TEST_F(SendableTest, IsDeferredWhereAnotherInterpreterIsAttached) {
  for (const auto gil : {testing::Gil::kOwn, testing::Gil::kShared}) {
    testing::Subinterpreter other(gil);
    Deaths deaths;
    std::optional<Sendable<>> sendable = send(deaths.make());
    other.run([&] { sendable.reset(); });
    EXPECT_EQ(deaths.count(), 0);
    queue().flush();
    EXPECT_EQ(deaths.count(), 1);
    EXPECT_EQ(deaths.elsewhere(), 0);
  }
}

TEST_F(SendableTest, BelongsToTheInterpreterItIsMadeIn) {
  testing::Subinterpreter other(testing::Gil::kOwn);
  std::optional<Deaths> deaths;
  std::optional<Sendable<>> sendable;
  other.run([&] {
    deaths.emplace();
    sendable = send(deaths->make());
  });
  EXPECT_EQ(&sendable->queue(), &other.queue());
  sendable.reset();
  EXPECT_EQ(deaths->count(), 0);
  other.run([&] { other.queue().flush(); });
  EXPECT_EQ(deaths->count(), 1);
  EXPECT_EQ(deaths->elsewhere(), 0);
}

TEST_F(SendableTest, MovesWithoutCounting) {
  const Strong list = PyList_New(0);
  Sendable<> a = send(Py_NewRef(list.get()));
  Sendable<> b = std::move(a);
  EXPECT_EQ(Py_REFCNT(list.get()), 2);
  a = std::move(b);  // what was moved from may be assigned to
  EXPECT_EQ(a.get(Attached::current()).get(), list.get());
  EXPECT_EQ(Py_REFCNT(list.get()), 2);
  const uint64_t pushed = queue().stats().pushed;
  on_another_thread([&] {  // NOLINT(bugprone-use-after-move): see below
    Sendable<> c = std::move(a);
    b = std::move(c);  // NOLINT(bugprone-use-after-move): that it may be assigned to is the point
  });
  EXPECT_EQ(queue().stats().pushed, pushed);
  EXPECT_EQ(Py_REFCNT(list.get()), 2);
}

TEST_F(SendableTest, AssigningDropsTheOldObject) {
  Deaths old;
  Deaths next;
  Sendable<> sendable = send(old.make());
  sendable = send(next.make());
  EXPECT_EQ(old.count(), 1);
  EXPECT_EQ(next.count(), 0);
  Sendable<> last = send(PyList_New(0));
  on_another_thread([&] { sendable = std::move(last); });
  EXPECT_EQ(next.count(), 0);
  queue().flush();
  EXPECT_EQ(next.count(), 1);
}

TEST_F(SendableTest, SurvivesBeingAssignedToItself) {
  Deaths deaths;
  Sendable<> sendable = send(deaths.make());
  Sendable<>& same = sendable;
  sendable = std::move(same);
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(Py_REFCNT(sendable.get(Attached::current()).get()), 1);
}

TEST_F(SendableTest, ShowsDestructorsTheNewObject) {
  const Strong list = PyList_New(0);
  std::optional<Sendable<>> sendable;
  PyObject* seen = nullptr;
  sendable.emplace(
      send(testing::new_mortal([&] { seen = sendable->get(Attached::current()).get(); })));
  *sendable = send(Py_NewRef(list.get()));
  EXPECT_EQ(seen, list.get());
}

TEST_F(SendableTest, IsUsedWhereItIsAttached) {
  std::optional<Sendable<>> sendable = send(testing::evaluate("[20, 22]"));
  long sum = 0;
  on_another_thread([&] {
    {
      const Attach attach(sendable->gate());
      ASSERT_TRUE(attach);
      const Owned<> mine = sendable->get(attach.token()).new_ref();
      for (Py_ssize_t i = 0; i < PyList_Size(mine.get()); ++i) {
        sum += PyLong_AsLong(PyList_GetItem(mine.get(), i));
      }
      EXPECT_EQ(Py_REFCNT(mine.get()), 2);
    }
    sendable.reset();
  });
  EXPECT_EQ(sum, 42);
}

TEST_F(SendableTest, BecomesAnOwnedAgain) {
  Deaths deaths;
  std::optional<Sendable<>> sendable = send(deaths.make());
  const uint64_t pushed = queue().stats().pushed;
  on_another_thread([&] {
    const Attach attach(sendable->gate());
    ASSERT_TRUE(attach);
    const Owned<> owned = std::move(*sendable).into_owned(attach.token());
    EXPECT_EQ(Py_REFCNT(owned.get()), 1);
    EXPECT_EQ(deaths.count(), 0);
  });
  EXPECT_EQ(deaths.count(), 1);
  sendable.reset();
  EXPECT_EQ(queue().stats().pushed, pushed);
}

TEST_F(SendableTest, LivesInContainersOfOtherThreads) {
  Deaths deaths;
  std::vector<Sendable<>> all;
  for (int i = 0; i < 100; ++i) all.push_back(send(deaths.make()));
  on_another_thread([&] {
    all.erase(all.begin() + 10, all.begin() + 60);
    std::function<void()> keeps = [kept = std::make_shared<Sendable<>>(std::move(all[0]))] {};
    all.clear();
  });
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_EQ(queue().flush(), 100U);
  EXPECT_EQ(deaths.count(), 100);
}

TEST_F(SendableTest, MayBeLeakedInstead) {
  Deaths deaths;
  std::optional<Sendable<Object, WhenDetached::kLeak>> sendable;
  sendable = send<WhenDetached::kLeak>(deaths.make());
  sendable.reset();
  EXPECT_EQ(deaths.count(), 1) << "attached it is dropped like any other";
  const Strong object = deaths.make();
  sendable = send<WhenDetached::kLeak>(Py_NewRef(object.get()));
  const uint64_t leaked = queue().stats().leaked;
  on_another_thread([&] { sendable.reset(); });
  queue().flush();
  EXPECT_EQ(Py_REFCNT(object.get()), 2);
  Py_DECREF(object.get());
  EXPECT_EQ(queue().stats().leaked, leaked + 1);
}

TEST_F(SendableTest, MayWaitInstead) {
  Deaths deaths;
  std::optional<Sendable<Object, WhenDetached::kBlock>> sendable;
  sendable = send<WhenDetached::kBlock>(deaths.make());
  const uint64_t pushed = queue().stats().pushed;
  on_another_thread([&] {
    sendable.reset();
    EXPECT_EQ(deaths.count(), 1) << "at once";
    EXPECT_FALSE(is_attached());
  });
  EXPECT_EQ(deaths.elsewhere(), 0);
  EXPECT_EQ(queue().stats().pushed, pushed);
}

TEST_F(SendableTest, WaitsWithAnotherInterpreterAttachedToo) {
  for (const auto gil : {testing::Gil::kOwn, testing::Gil::kShared}) {
    testing::Subinterpreter other(gil);
    Deaths deaths;
    std::optional<Sendable<Object, WhenDetached::kBlock>> sendable;
    sendable = send<WhenDetached::kBlock>(deaths.make());
    other.run([&] {
      PyThreadState* const state = PyThreadState_Get();
      sendable.reset();
      EXPECT_EQ(deaths.count(), 1);
      EXPECT_EQ(PyThreadState_Get(), state);
    });
    EXPECT_EQ(deaths.elsewhere(), 0);
  }
}

TEST_F(SendableTest, WaitsForNoInterpreterThatHasEnded) {
  testing::Subinterpreter other(testing::Gil::kOwn);
  std::optional<Sendable<Object, WhenDetached::kBlock>> sendable;
  other.run([&] { sendable = send<WhenDetached::kBlock>(PyList_New(0)); });
  other.end();
  sendable.reset();
  EXPECT_EQ(other.queue().stats().leaked, 1U);
  testing::expect_balanced(other.queue());
}

using SendableDeathTest = SendableTest;

TEST_F(SendableDeathTest, MayEndTheProgramInstead) {
  std::optional<Sendable<Object, WhenDetached::kAbort>> sendable;
  Deaths deaths;
  sendable = send<WhenDetached::kAbort>(deaths.make());
  sendable.reset();
  EXPECT_EQ(deaths.count(), 1) << "attached it is dropped like any other";
  EXPECT_DEATH(
      {
        sendable = send<WhenDetached::kAbort>(PyList_New(0));
        on_another_thread([&] { sendable.reset(); });
      },
      "policy is to abort was dropped on a thread that is not attached");
}

TEST_F(SendableTest, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    Sendable<> a = send(PyList_New(0));
    Sendable<> b = send(PyDict_New());
    a = std::move(b);
    on_another_thread([&] { const Sendable<> c = std::move(a); });
    queue().flush();
  });
}

}  // namespace
}  // namespace tenure
