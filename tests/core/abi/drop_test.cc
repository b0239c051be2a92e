#include "tenure/core/abi/drop.h"

#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/abi/thread.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

TEST(Drop, EndsAnObjectWithItsLastReference) {
  testing::Deaths deaths;
  PyObject* const object = deaths.make().release();
  Py_INCREF(object);
  // Some builds do not know, and then say that it may have ended.
  const bool may_have_ended = decref_untraced(object);
  EXPECT_EQ(deaths.count(), 0);
  EXPECT_TRUE(decref_untraced(object));
  EXPECT_EQ(deaths.count(), 1);
  EXPECT_EQ(may_have_ended, kFreeThreaded || testing::reference_total() > 0);
}

TEST(Drop, ChangesNoImmortal) {
  const Py_ssize_t before = Py_REFCNT(Py_None);
  for (int i = 0; i < 100; ++i) (void)decref_untraced(Py_None);
  EXPECT_EQ(Py_REFCNT(Py_None), before);
}

// Ends that go on for long are the interpreter's to cut short.
TEST(Drop, EndsDeepNests) {
  Strong nested = PyTuple_New(0);
  for (int i = 0; i < 500'000; ++i) nested = PyTuple_Pack(1, nested.get());
  decref_untraced(std::move(nested).release());
}

TEST(Drop, LeavesNoReferenceBehind) {
  testing::expect_no_leak([] {
    for (int i = 0; i < 300; ++i) {
      decref_untraced(PyFloat_FromDouble(i));
      decref_untraced(PyLong_FromLong(1000 + i));
      decref_untraced(PyUnicode_FromString("some text"));
      decref_untraced(Py_BuildValue("[d{sd}]", 1.5, "key", 2.5));
    }
  });
}

TEST(Drop, KnowsWhoListens) {
  EXPECT_FALSE(ends_are_traced());
  ASSERT_EQ(PyRefTracer_SetTracer([](PyObject*, PyRefTracerEvent, void*) { return 0; }, nullptr),
            0);
  EXPECT_TRUE(ends_are_traced());
  ASSERT_EQ(PyRefTracer_SetTracer(nullptr, nullptr), 0);
  EXPECT_FALSE(ends_are_traced());
}

}  // namespace
}  // namespace tenure::abi
