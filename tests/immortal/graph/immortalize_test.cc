// What Python code cannot get hold of; the rest is in tests/python/test_immortalize.py.
#include "tenure/immortal/graph/immortalize.h"

#include <gtest/gtest.h>

#include "tenure/core/abi/immortal.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

using testing::evaluate;

TEST(Immortalize, RefusesATupleThatIsBeingFilled) {
  const Strong graph = PyList_New(0);
  const Strong tuple = PyTuple_New(2);
  ASSERT_EQ(PyList_Append(graph.get(), tuple.get()), 0);
  Immortalized done;
  Refusal refusal;
  EXPECT_FALSE(immortalize(graph.get(), {}, done, refusal));
  EXPECT_EQ(refusal.path, "$[0]");
  EXPECT_EQ(refusal.reason, "object of type tuple is still being filled");
  EXPECT_FALSE(abi::is_immortal(graph.get()));
  EXPECT_EQ(done.objects, 0u);
}

TEST(Immortalize, RefusesACapsuleThatDoesSomethingWhenItGoes) {
  static bool destroyed = false;
  {
    const Strong graph = PyList_New(0);
    const Strong capsule = PyCapsule_New(&destroyed, nullptr, [](PyObject*) { destroyed = true; });
    ASSERT_EQ(PyList_Append(graph.get(), capsule.get()), 0);
    Immortalized done;
    Refusal refusal;
    EXPECT_FALSE(immortalize(graph.get(), {}, done, refusal));
    EXPECT_EQ(refusal.path, "$[0]");
    EXPECT_TRUE(refusal.reason.ends_with("has a finalizer, which would never run"))
        << refusal.reason;
  }
  EXPECT_TRUE(destroyed);
  const Strong plain = PyCapsule_New(&destroyed, nullptr, nullptr);
  Immortalized done;
  Refusal refusal;
  EXPECT_TRUE(immortalize(plain.get(), {}, done, refusal));
}

// Only what the collector knows can be told from this interpreter's own.
TEST(Immortalize, LeavesAnotherInterpretersObjectsAlone) {
  const Strong foreign = evaluate("[[10 ** 20]]");
  PyThreadState* main = PyThreadState_Get();
  PyThreadState* other = Py_NewInterpreter();
  ASSERT_NE(other, nullptr);
  {
    const Strong graph = PyList_New(0);
    const Strong own = PyList_New(0);
    EXPECT_EQ(PyList_Append(graph.get(), own.get()), 0);
    EXPECT_EQ(PyList_Append(graph.get(), foreign.get()), 0);
    EXPECT_EQ(PyList_Append(graph.get(), foreign.get()), 0);
    Immortalized done;
    Refusal refusal;
    EXPECT_TRUE(immortalize(graph.get(), {}, done, refusal)) << refusal.reason;
    EXPECT_EQ(done.foreign, 1u);
    EXPECT_EQ(done.objects, 2u);
    EXPECT_TRUE(abi::is_immortal(own.get()));
    EXPECT_FALSE(abi::is_immortal(foreign.get()));
    EXPECT_EQ(PyList_SetSlice(graph.get(), 0, 3, nullptr), 0);
  }
  Py_EndInterpreter(other);
  PyThreadState_Swap(main);
  EXPECT_FALSE(abi::is_immortal(foreign.get()));
}

TEST(Immortalize, ChangesNothingOfARootThatIsImmortal) {
  Immortalized done;
  Refusal refusal;
  EXPECT_TRUE(immortalize(Py_None, {}, done, refusal));
  EXPECT_TRUE(immortalize(reinterpret_cast<PyObject*>(&PyLong_Type), {}, done, refusal));
  EXPECT_EQ(done.objects, 0u);
}

}  // namespace
}  // namespace tenure::graph
