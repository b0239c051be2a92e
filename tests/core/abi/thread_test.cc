#include "tenure/core/abi/thread.h"

#include <thread>

#include <gtest/gtest.h>

#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::Gil;
using testing::on_another_thread;
using testing::Subinterpreter;

TEST(ThreadStates, BelongToAnInterpreter) {
  EXPECT_EQ(interpreter_of(PyThreadState_Get()), PyInterpreterState_Get());
  EXPECT_EQ(interpreter_of(PyThreadState_Get()), PyThreadState_GetInterpreter(PyThreadState_Get()));
  Subinterpreter other(Gil::kOwn);
  other.run([&] { EXPECT_EQ(interpreter_of(PyThreadState_Get()), other.interpreter()); });
}

// By the call before it has been found, and by its place afterwards, here and where there is none.
TEST(ThreadStates, TheCurrentOneIsFound) {
  EXPECT_EQ(abi::current_state(), PyThreadState_Get());
  abi::find_current_state();
  EXPECT_EQ(abi::current_state(), PyThreadState_Get());
  PyThreadState* const state = PyEval_SaveThread();
  EXPECT_EQ(abi::current_state(), nullptr);
  PyEval_RestoreThread(state);
  EXPECT_EQ(abi::current_state(), state);
  PyThreadState* elsewhere = state;
  std::thread([&] { elsewhere = abi::current_state(); }).join();
  EXPECT_EQ(elsewhere, nullptr);
}

TEST(ThreadStates, SayWhetherAnErrorIsSet) {
  EXPECT_FALSE(has_error(PyThreadState_Get()));
  PyErr_SetString(PyExc_KeyError, "set");
  EXPECT_TRUE(has_error(PyThreadState_Get()));
  PyErr_Clear();
  EXPECT_FALSE(has_error(PyThreadState_Get()));
}

TEST(InterpreterViews, AreOfTheInterpreterTheyAreMadeIn) {
  const InterpreterView here = view_of_current();
  EXPECT_EQ(here.interpreter, PyInterpreterState_Get());
  EXPECT_TRUE(here.is_main);
  Subinterpreter other(Gil::kShared);
  other.run([&] {
    const InterpreterView there = view_of_current();
    EXPECT_EQ(there.interpreter, other.interpreter());
    EXPECT_FALSE(there.is_main);
  });
}

TEST(Attaching, KnowsWhoIsAttachedAlready) {
  const InterpreterView view = view_of_current();
  Attachment attachment;
  ASSERT_TRUE(attach(view, attachment));
  EXPECT_EQ(attachment.kind, Attachment::Kind::kNested);
  detach(attachment);
  EXPECT_EQ(interpreter_of(PyThreadState_Get()), view.interpreter);
}

TEST(Attaching, MakesAStateForAThreadWithoutOne) {
  const InterpreterView view = view_of_current();
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
}

// PyGILState_Ensure() goes on with any state that the thread has, also another interpreter's.
TEST(Attaching, IsNotMisledByAStateOfAnotherInterpreter) {
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    const InterpreterView main = view_of_current();
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
