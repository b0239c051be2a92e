#include "tenure/handles/shared.h"

#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

static_assert(sizeof(Shared<>) == 2 * sizeof(PyObject*));
static_assert(std::is_nothrow_copy_constructible_v<Shared<>>);
static_assert(std::is_nothrow_move_constructible_v<Shared<>>);

DecrefQueue& queue() { return *DecrefQueue::current(); }

class SharedTest : public ::testing::Test {
 protected:
  void SetUp() override { queue().flush(); }
  void TearDown() override {
    queue().flush();
    // Free-threaded, the owner of the object merges what others dropped when it runs Python next.
    const Strong ran = testing::run("pass");
    EXPECT_EQ(Py_REFCNT(list_), 1);
    Py_DECREF(list_);
  }

  Shared<> make() { return *Shared<>::make(Owned<>::steal(Py_NewRef(list_))); }

  PyObject* list_ = PyList_New(0);
};

TEST_F(SharedTest, CopiesWithoutTouchingPythonsCount) {
  const Shared<> a = make();
  const Shared<> b = a;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(Py_REFCNT(list_), 2);
  EXPECT_EQ(a.holders(), 2U);
  EXPECT_EQ(b.get(Attached::current()).get(), list_);
}

TEST_F(SharedTest, TheLastOneDropsTheObject) {
  std::optional<Shared<>> a = make();
  std::optional<Shared<>> b = a;
  a.reset();
  EXPECT_EQ(Py_REFCNT(list_), 2);
  b.reset();
  EXPECT_EQ(Py_REFCNT(list_), 1);
}

TEST_F(SharedTest, TheLastOneDroppedDetachedIsDeferred) {
  const uint64_t before = queue().stats().pushed;
  std::optional<Shared<>> kept = make();
  {
    const Detach detach;
    std::thread([&] {
      const Shared<> copy = *kept;
      kept.reset();
    }).join();
  }
  EXPECT_EQ(queue().stats().pushed, before + 1);
}

TEST_F(SharedTest, IsCopiedAndDroppedByManyThreads) {
  std::optional<Shared<>> kept = make();
  {
    const Detach detach;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([mine = *kept] {
        for (int i = 0; i < 10'000; ++i) {
          const Shared<> copy = mine;
          ASSERT_GE(copy.holders(), 2U);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(kept->holders(), 1U);
  EXPECT_EQ(Py_REFCNT(list_), 2);
}

TEST_F(SharedTest, MovesAndAssigns) {
  Shared<> a = make();
  Shared<> b = std::move(a);
  EXPECT_EQ(b.holders(), 1U);
  a = b;
  EXPECT_EQ(b.holders(), 2U);
  Shared<>& same = a;
  a = same;
  EXPECT_EQ(a.holders(), 2U);
  a = std::move(same);
  EXPECT_EQ(b.holders(), 2U);
}

TEST_F(SharedTest, NewRefIsPythons) {
  const Shared<> kept = make();
  const Owned<> owner = kept.new_ref(Attached::current());
  EXPECT_EQ(Py_REFCNT(list_), 3);
}

}  // namespace
}  // namespace tenure
