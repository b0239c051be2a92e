#include "tenure/core/abi/thread.h"

#include <gtest/gtest.h>

#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::on_another_thread;
using testing::Gil;
using testing::Subinterpreter;

TEST(ThreadStates, BelongToAnInterpreter) {
  EXPECT_EQ(interpreter_of(PyThreadState_Get()), PyInterpreterState_Get());
  EXPECT_EQ(interpreter_of(PyThreadState_Get()),
            PyThreadState_GetInterpreter(PyThreadState_Get()));
  Subinterpreter other(Gil::kOwn);
  other.run([&] { EXPECT_EQ(interpreter_of(PyThreadState_Get()), other.interpreter()); });
}

TEST(ThreadStates, SayWhetherAnErrorIsSet) {
  EXPECT_FALSE(has_error(PyThreadState_Get()));
  PyErr_SetString(PyExc_KeyError, "set");
  EXPECT_TRUE(has_error(PyThreadState_Get()));
  PyErr_Clear();
  EXPECT_FALSE(has_error(PyThreadState_Get()));
}

TEST(InterpreterViews, AreOfTheInterpreterTheyAreMadeIn) {
  InterpreterView view;
  ASSERT_TRUE(view_of_current(view));
  EXPECT_EQ(view.interpreter, PyInterpreterState_Get());
  EXPECT_TRUE(view.is_main);
  close_view(view);
  Subinterpreter other(Gil::kShared);
  other.run([&] { ASSERT_TRUE(view_of_current(view)); });
  EXPECT_EQ(view.interpreter, other.interpreter());
  EXPECT_FALSE(view.is_main);
  close_view(view);
}

TEST(InterpreterViews, SayWhenThereIsNoMemory) {
  InterpreterView view;
  for (long n = 0;; ++n) {
    bool made;
    {
      const testing::FailingMemory failing(n);
      made = view_of_current(view);
    }
    if (made) break;
    EXPECT_EQ(testing::take_error(), "MemoryError");
    ASSERT_LT(n, 100);
  }
  close_view(view);
}

TEST(Attaching, KnowsWhoIsAttachedAlready) {
  InterpreterView view;
  ASSERT_TRUE(view_of_current(view));
  Attachment attachment;
  ASSERT_TRUE(attach(view, attachment));
  EXPECT_EQ(attachment.kind, Attachment::Kind::kNested);
  detach(attachment);
  EXPECT_EQ(interpreter_of(PyThreadState_Get()), view.interpreter);
  close_view(view);
}

TEST(Attaching, MakesAStateForAThreadWithoutOne) {
  InterpreterView view;
  ASSERT_TRUE(view_of_current(view));
  on_another_thread([&] {
    Attachment attachment;
    ASSERT_TRUE(attach(view, attachment));
    EXPECT_NE(attachment.kind, Attachment::Kind::kNested);
    EXPECT_EQ(interpreter_of(PyThreadState_Get()), view.interpreter);
    Attachment nested;
    ASSERT_TRUE(attach(view, nested));
    EXPECT_EQ(nested.kind, Attachment::Kind::kNested);
    detach(nested);
    detach(attachment);
    EXPECT_EQ(PyThreadState_GetUnchecked(), nullptr);
  });
  close_view(view);
}

// PyGILState_Ensure() goes on with any state that the thread has, also another interpreter's.
TEST(Attaching, IsNotMisledByAStateOfAnotherInterpreter) {
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    InterpreterView main;
    ASSERT_TRUE(view_of_current(main));
    Subinterpreter other(gil);
    other.run([&] {
      PyThreadState* const state = PyThreadState_Get();
      Attachment attachment;
      ASSERT_TRUE(attach(main, attachment));
      EXPECT_EQ(interpreter_of(PyThreadState_Get()), main.interpreter);
      detach(attachment);
      EXPECT_EQ(PyThreadState_Get(), state);
    });
    // Detached from one, attaching to the other.
    other.run([&] {
      PyThreadState* const state = PyEval_SaveThread();
      Attachment attachment;
      ASSERT_TRUE(attach(main, attachment));
      EXPECT_EQ(interpreter_of(PyThreadState_Get()), main.interpreter);
      detach(attachment);
      EXPECT_EQ(PyThreadState_GetUnchecked(), nullptr);
      PyEval_RestoreThread(state);
    });
    close_view(main);
  }
}

TEST(AttachedLock, IsFreeAgainAfterAFork) {
  AttachedLock lock;
  lock.lock();
  lock.reset_after_fork();
  lock.lock();
  lock.unlock();
}

}  // namespace
}  // namespace tenure::abi
