// Pools and the end of the runtime, in programs of their own.

#include <gtest/gtest.h>

#include "tenure/tests/pool/instance_types.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

constexpr bool kPools = !abi::kFreeThreaded;

void use() {
  const Strong node = new_node_type();
  const Strong point = new_point_type();
  for (int i = 0; i < 100; ++i) {
    const Strong one = make(node);
    reinterpret_cast<Node*>(one.get())->next = Py_NewRef(one.get());
    make_and_drop(point);
    make_and_drop(reinterpret_cast<PyObject*>(static_node_type()));
  }
  PyGC_Collect();
  require(pool::statistics_of_all().live == 0, "nothing is alive");
  require((pool::statistics_of_all().retained >= 2) == kPools, "something is kept");
}

const Program starts_again("starts_again", [] {
  for (int life = 0; life < 4; ++life) {
    start_python();
    require(pool::statistics_of_all().retained == 0, "it begins with nothing");
    use();
    require(Py_FinalizeEx() == 0, "it ends well");
  }
});

// In builtins, which go last; and leaked.
const Program dies_late("dies_late", [] {
  for (int life = 0; life < 3; ++life) {
    start_python();
    use();
    {
      const Strong builtins = PyImport_ImportModule("builtins");
      const Strong node = new_node_type();
      const Strong late = make(node);
      reinterpret_cast<Node*>(late.get())->next = make(new_point_type()).release();
      require(PyObject_SetAttrString(builtins.get(), "late", late.get()) == 0, "it is kept");
    }
    PyObject* const leaked = make(new_point_type()).release();
    reinterpret_cast<Point*>(leaked)->x = life;
    require(Py_FinalizeEx() == 0, "it ends well");
    require(reinterpret_cast<Point*>(leaked)->x == life, "what is leaked is there");
  }
});

// Exit functions of CPython's are few; without one a new life of the runtime is not known as such.
const Program has_no_exit_function("has_no_exit_function", [] {
  start_python();
  while (Py_AtExit([] {}) == 0) {
  }
  use();
  require(Py_FinalizeEx() == 0, "it ends well");
  start_python();
  while (Py_AtExit([] {}) == 0) {
  }
  {
    const Strong node = new_node_type();
    for (int i = 0; i < 100; ++i) make_and_drop(node);
  }
  require(Py_FinalizeEx() == 0, "it ends well again");
});

TEST(InstancePoolExitTest, TheRuntimeStartsAgain) { EXPECT_TRUE(passes(starts_again)); }
TEST(InstancePoolExitTest, InstancesDieLate) { EXPECT_TRUE(passes(dies_late)); }
TEST(InstancePoolExitTest, WithoutAnExitFunction) { EXPECT_TRUE(passes(has_no_exit_function)); }

}  // namespace
}  // namespace tenure::testing
