#include "tenure/handles/sendable.h"

#include <functional>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

static_assert(sizeof(Sendable<>) == 2 * sizeof(PyObject*));
static_assert(!std::is_copy_constructible_v<Sendable<>> && !std::is_copy_assignable_v<Sendable<>>);
static_assert(std::is_nothrow_move_constructible_v<Sendable<>>);
static_assert(std::is_nothrow_move_assignable_v<Sendable<>>);
static_assert(!std::is_default_constructible_v<Sendable<>>);

DecrefQueue& queue() { return *DecrefQueue::current(); }

template <typename Body>
void on_another_thread(Body body) {
  const Detach detach;
  std::thread(std::move(body)).join();
}

// A list that the test holds a reference to as well.
class SendableTest : public ::testing::Test {
 protected:
  void SetUp() override { queue().flush(); }
  void TearDown() override {
    queue().flush();
    Py_DECREF(list_);
    const DeferStats stats = queue().stats();
    EXPECT_EQ(stats.pushed, stats.drained + stats.pending + stats.leaked);
  }

  template <WhenDetached kPolicy = WhenDetached::kDefer>
  Sendable<Object, kPolicy> make() {
    return Sendable<Object, kPolicy>(Owned<>::steal(Py_NewRef(list_)), queue());
  }

  PyObject* list_ = PyList_New(0);
};

TEST_F(SendableTest, DroppedAttachedIsAnOrdinaryDecref) {
  const uint64_t before = queue().stats().pushed;
  {
    const Sendable<> kept = make();
    EXPECT_EQ(Py_REFCNT(list_), 2);
    EXPECT_EQ(kept.get(Attached::current()).get(), list_);
  }
  EXPECT_EQ(Py_REFCNT(list_), 1);
  EXPECT_EQ(queue().stats().pushed, before);
}

TEST_F(SendableTest, DroppedDetachedIsDeferred) {
  const uint64_t before = queue().stats().pushed;
  on_another_thread([kept = make()]() mutable { const Sendable<> mine = std::move(kept); });
  EXPECT_EQ(queue().stats().pushed, before + 1);
  queue().flush();
  EXPECT_EQ(Py_REFCNT(list_), 1);
}

TEST_F(SendableTest, DroppedByADetachedScopeOfThisThreadIsDeferred) {
  const uint64_t before = queue().stats().pushed;
  std::optional<Sendable<>> kept = make();
  {
    const Detach detach;
    kept.reset();
  }
  EXPECT_EQ(queue().stats().pushed, before + 1);
}

TEST_F(SendableTest, MovesWithoutCounting) {
  Sendable<> a = make();
  Sendable<> b = std::move(a);
  EXPECT_EQ(Py_REFCNT(list_), 2);
  a = std::move(b);  // what was moved from may be assigned to
  EXPECT_EQ(a.get(Attached::current()).get(), list_);
  Sendable<>& same = a;
  a = std::move(same);
  EXPECT_EQ(a.get(Attached::current()).get(), list_);
  EXPECT_EQ(Py_REFCNT(list_), 2);
}

TEST_F(SendableTest, AssigningDropsTheOldObject) {
  Sendable<> a = make();
  PyObject* other = PyList_New(0);
  a = Sendable<>(Owned<>::steal(Py_NewRef(other)), queue());
  EXPECT_EQ(Py_REFCNT(list_), 1);
  EXPECT_EQ(Py_REFCNT(other), 2);
  Py_DECREF(other);
}

TEST_F(SendableTest, IntoOwnedEndsTheDeferral) {
  Sendable<> kept = make();
  const Owned<> owner = std::move(kept).into_owned(Attached::current());
  EXPECT_EQ(owner.get(), list_);
  EXPECT_EQ(Py_REFCNT(list_), 2);
}

TEST_F(SendableTest, MakeFindsTheQueue) {
  std::optional<Sendable<>> kept = Sendable<>::make(Owned<>::steal(Py_NewRef(list_)));
  ASSERT_TRUE(kept);
  EXPECT_EQ(&kept->queue(), &queue());
  EXPECT_TRUE(kept->gate().is_attached());
}

TEST_F(SendableTest, ToldToLeakIsCounted) {
  const DeferStats before = queue().stats();
  on_another_thread(
      [kept = make<WhenDetached::kLeak>()]() mutable { const auto mine = std::move(kept); });
  queue().flush();
  const DeferStats after = queue().stats();
  EXPECT_EQ(after.leaked - before.leaked, 1U);
  EXPECT_EQ(after.pushed - before.pushed, 1U);
  Py_DECREF(list_);  // what was leaked
}

TEST_F(SendableTest, ToldToLeakDoesNotLeakAttached) {
  {
    const auto kept = make<WhenDetached::kLeak>();
  }
  EXPECT_EQ(Py_REFCNT(list_), 1);
}

TEST_F(SendableTest, ToldToBlockAttaches) {
  const uint64_t before = queue().stats().pushed;
  on_another_thread(
      [kept = make<WhenDetached::kBlock>()]() mutable { const auto mine = std::move(kept); });
  // Free-threaded, the owner of the object merges what others dropped when it runs Python next.
  const Strong ran = testing::run("pass");
  EXPECT_EQ(Py_REFCNT(list_), 1);
  EXPECT_EQ(queue().stats().pushed, before);
}

TEST_F(SendableTest, ToldToAbortEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(on_another_thread([kept = make<WhenDetached::kAbort>()]() mutable {
                 const auto mine = std::move(kept);
               }),
               "policy is to abort was dropped on a thread that is not attached");
}

TEST_F(SendableTest, DroppedInAnotherInterpreterIsDeferredToItsOwn) {
  const uint64_t before = queue().stats().pushed;
  DecrefQueue& home = queue();
  std::optional<Sendable<>> kept = make();
  PyThreadState* const main = PyThreadState_Get();
  PyThreadState* const other = Py_NewInterpreter();
  ASSERT_NE(other, nullptr);
  kept.reset();
  EXPECT_EQ(home.stats().pushed, before + 1);
  Py_EndInterpreter(other);
  PyThreadState_Swap(main);
  queue().flush();
  EXPECT_EQ(Py_REFCNT(list_), 1);
}

}  // namespace
}  // namespace tenure
