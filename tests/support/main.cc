// main() of the C++ tests that need Python: one interpreter for all tests of a program.
//
// After each test no Python error may be pending. At the end the interpreter is finalized, with
// everything that the tests loaded into it, and has to survive that.

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace {

class Interpreter : public testing::Environment {
 public:
  void SetUp() override { tenure::testing::start_python(); }
  // A test that fails inside an EXPECT_EXIT may have ended the interpreter already.
  void TearDown() override {
    if (Py_IsInitialized()) {
      EXPECT_EQ(Py_FinalizeEx(), 0);
    }
  }
};

class NoErrorIsPending : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo&) override {
    if (!Py_IsInitialized()) {
      ADD_FAILURE() << "the test ended the interpreter";
    } else if (PyErr_Occurred()) {
      PyErr_Print();
      ADD_FAILURE() << "the test left a Python error pending";
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // A forked child of a program with an interpreter would be neither here nor there.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  testing::AddGlobalTestEnvironment(new Interpreter);
  // In front of the printer, so that its failures count and are seen.
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  auto* printer = listeners.Release(listeners.default_result_printer());
  listeners.Append(new NoErrorIsPending);
  listeners.Append(printer);
  return RUN_ALL_TESTS();
}
