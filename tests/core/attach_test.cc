#include "tenure/core/attach.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

TEST(Attach, TheThreadThatStartedTheInterpreterIsAttached) {
  EXPECT_TRUE(is_attached());
  EXPECT_TRUE(is_attached_to(PyInterpreterState_Get()));
  EXPECT_TRUE(is_attached_to(PyInterpreterState_Main()));
}

TEST(Attach, NobodyIsAttachedToNoInterpreter) { EXPECT_FALSE(is_attached_to(nullptr)); }

TEST(Attach, AnotherThreadIsNotAttachedUntilItAsks) {
  bool before = true;
  bool inside = false;
  bool after = true;
  PyInterpreterState* const interpreter = PyInterpreterState_Get();
  {
    const Detach detached;
    std::thread other([&] {
      before = is_attached() || is_attached_to(interpreter);
      const PyGILState_STATE state = PyGILState_Ensure();
      inside = is_attached() && is_attached_to(interpreter);
      PyGILState_Release(state);
      after = is_attached() || is_attached_to(interpreter);
    });
    other.join();
  }
  EXPECT_FALSE(before);
  EXPECT_TRUE(inside);
  EXPECT_FALSE(after);
}

TEST(Detach, TakesAndGivesBackTheRight) {
  PyThreadState* const state = PyThreadState_Get();
  {
    const Detach detached;
    EXPECT_FALSE(is_attached());
  }
  EXPECT_TRUE(is_attached());
  EXPECT_EQ(PyThreadState_Get(), state);
}

// Without a Detach the other thread could only get in when this one runs Python code: it does not.
TEST(Detach, LetsAnotherThreadRunPythonMeanwhile) {
  std::atomic<bool> ran{false};
  std::thread other([&ran] {
    const PyGILState_STATE state = PyGILState_Ensure();
    PyRun_SimpleString("import sys; sys.left_by_another_thread = 6 * 7");
    PyGILState_Release(state);
    ran.store(true);
  });
  {
    const Detach detached;
    other.join();
    EXPECT_TRUE(ran.load());
  }
  const Strong left = testing::evaluate("sys.__dict__.pop('left_by_another_thread')");
  EXPECT_EQ(PyLong_AsLong(left.get()), 42);
}

TEST(Detach, NestsWithAttachingAgain) {
  const Detach detached;
  const PyGILState_STATE state = PyGILState_Ensure();
  EXPECT_TRUE(is_attached());
  {
    const Detach again;
    EXPECT_FALSE(is_attached());
  }
  EXPECT_TRUE(is_attached());
  PyGILState_Release(state);
  EXPECT_FALSE(is_attached());
}

class Subinterpreter : public ::testing::Test {
 protected:
  void SetUp() override {
    main_ = PyThreadState_Get();
    own_ = Py_NewInterpreter();
    ASSERT_NE(own_, nullptr);
  }
  void TearDown() override {
    PyThreadState_Swap(own_);
    Py_EndInterpreter(own_);
    PyThreadState_Swap(main_);
  }
  PyThreadState* main_ = nullptr;
  PyThreadState* own_ = nullptr;
};

TEST_F(Subinterpreter, OnlyTheCurrentInterpreterIsTheOneAttachedTo) {
  PyInterpreterState* const main = PyThreadState_GetInterpreter(main_);
  PyInterpreterState* const own = PyThreadState_GetInterpreter(own_);
  EXPECT_TRUE(is_attached_to(own));
  EXPECT_FALSE(is_attached_to(main));
  PyThreadState_Swap(main_);
  EXPECT_TRUE(is_attached_to(main));
  EXPECT_FALSE(is_attached_to(own));
}

TEST_F(Subinterpreter, DetachComesBackToTheSameInterpreter) {
  PyInterpreterState* const own = PyThreadState_GetInterpreter(own_);
  {
    const Detach detached;
    EXPECT_FALSE(is_attached_to(own));
    EXPECT_FALSE(is_attached());
  }
  EXPECT_TRUE(is_attached_to(own));
}

}  // namespace
}  // namespace tenure
