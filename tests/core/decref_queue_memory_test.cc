// Deferring when there is no memory. A program of its own: the first use counts.

#include <functional>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/release.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using testing::Deaths;
using testing::FailingMemory;
using testing::Subinterpreter;

// Calls it with less and less failing until it says that it is done.
template <typename Body>
void with_failing_memory(const Body& body) {
  for (long n = 0; n < 1000; ++n) {
    if (body(n)) {
      EXPECT_GT(n, 0) << "nothing was asked for";
      return;
    }
  }
  FAIL() << "it is never done";
}

// In each order, the first time in a new interpreter.
class DecrefQueueMemoryTest : public ::testing::Test {
 protected:
  static void in_new_interpreter(const std::function<void()>& body) {
    for (const auto gil : {testing::Gil::kOwn, testing::Gil::kShared}) {
      // Without the queue that a Subinterpreter makes.
      PyThreadState* const before = PyThreadState_Get();
      PyThreadState* const state = testing::new_interpreter(gil);
      // CPython 3.13 may crash when it has no memory to import a module.
      ASSERT_EQ(PyRun_SimpleString("import atexit, posix"), 0);
      body();
      const DecrefQueue* queue = DecrefQueue::current();
      Py_EndInterpreter(state);
      PyThreadState_Swap(before);
      ASSERT_NE(queue, nullptr);
      EXPECT_TRUE(queue->is_finished()) << "it has learned of the end";
      testing::expect_balanced(*queue);
    }
  }
};

TEST_F(DecrefQueueMemoryTest, AskingForTheQueueFailsAndCanBeTriedAgain) {
  in_new_interpreter([] {
    with_failing_memory([](long n) {
      DecrefQueue* queue;
      {
        const FailingMemory failing(n);
        queue = DecrefQueue::current();
      }
      if (queue == nullptr) {
        EXPECT_EQ(testing::take_error(), "MemoryError");
        return false;
      }
      EXPECT_EQ(PyErr_Occurred(), nullptr);
      EXPECT_EQ(DecrefQueue::current(), queue);
      Deaths deaths;
      queue->defer(deaths.make().release());
      EXPECT_EQ(queue->flush(), 1U);
      EXPECT_EQ(deaths.count(), 1);
      return true;
    });
  });
}

TEST_F(DecrefQueueMemoryTest, MakingASendableFailsAndDropsTheReference) {
  in_new_interpreter([] {
    const Strong list = PyList_New(0);
    with_failing_memory([&](long n) {
      std::optional<Sendable<>> sendable;
      {
        const FailingMemory failing(n);
        sendable = Sendable<>::make(Owned<>::steal(Py_NewRef(list.get())));
      }
      EXPECT_EQ(Py_REFCNT(list.get()), sendable ? 2 : 1);
      EXPECT_EQ(testing::take_error(), sendable ? "" : "MemoryError");
      return sendable.has_value();
    });
  });
}

TEST_F(DecrefQueueMemoryTest, MakingASharedFailsAndDropsTheReference) {
  in_new_interpreter([] {
    const Strong list = PyList_New(0);
    with_failing_memory([&](long n) {
      std::optional<Shared<>> shared;
      {
        const FailingMemory failing(n);
        shared = Shared<>::make(Owned<>::steal(Py_NewRef(list.get())));
      }
      EXPECT_EQ(Py_REFCNT(list.get()), shared ? 2 : 1);
      EXPECT_EQ(testing::take_error(), shared ? "" : "MemoryError");
      return shared.has_value();
    });
  });
}

TEST_F(DecrefQueueMemoryTest, ReleasingWithoutAQueueDropsAtOnce) {
  in_new_interpreter([] {
    const Strong list = PyList_New(0);
    Strong outer = PyList_New(1);
    PyList_SET_ITEM(outer.get(), 0, Py_NewRef(list.get()));
    {
      const FailingMemory failing(0);
      release_incrementally(Owned<>::steal(std::move(outer).release()));
    }
    EXPECT_EQ(PyErr_Occurred(), nullptr);
    EXPECT_EQ(Py_REFCNT(list.get()), 1);
  });
}

// Handles made already need Python's memory for nothing.
TEST_F(DecrefQueueMemoryTest, DroppingNeedsNone) {
  in_new_interpreter([] {
    DecrefQueue* queue = DecrefQueue::current();
    ASSERT_NE(queue, nullptr);
    const Strong list = PyList_New(0);
    std::optional<Sendable<>> sendable(std::in_place, Owned<>::steal(Py_NewRef(list.get())),
                                       *queue);
    std::optional<Shared<>> shared = Shared<>::make(Owned<>::steal(Py_NewRef(list.get())));
    {
      const FailingMemory failing(0);
      testing::on_another_thread([&] {
        sendable.reset();
        const Shared<> copy = *shared;
        shared.reset();
      });
      EXPECT_EQ(queue->flush(), 2U);
    }
    EXPECT_EQ(Py_REFCNT(list.get()), 1);
  });
}

}  // namespace
}  // namespace tenure
