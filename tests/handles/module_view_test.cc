#include "tenure/handles/module_view.h"

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

Owned<Module> new_module() { return value_of<Module>("type(sys)('sample')"); }

TEST(Module, IsImported) {
  const Owned<Module> module = Module::import("math").take().as<Module>().take();
  EXPECT_TRUE(module.name().take().equals("math"));
  EXPECT_TRUE(module.getattr("pi"));
  EXPECT_FALSE(Module::import("no_such_module"));
  EXPECT_EQ(testing::take_error(), "ModuleNotFoundError");
}

TEST(Module, MayBeAnythingElse) {
  ASSERT_EQ(PyRun_SimpleString("import sys; sys.modules['a_number'] = 7"), 0);
  EXPECT_EQ(testing::repr(Module::import("a_number").take()), "7");
  ASSERT_EQ(PyRun_SimpleString("del sys.modules['a_number']"), 0);
}

TEST(Module, HoldsAttributes) {
  const Owned<Module> module = new_module();
  const Owned<> value = value_of("[]");
  ASSERT_TRUE(module.add("x", value));
  EXPECT_EQ(Py_REFCNT(value.get()), 2);
  EXPECT_TRUE(module.dict().get("x").take().is(value));
}

TEST(Module, SaysWhatItDoesNotHave) {
  const Owned<Module> module = new_module();
  EXPECT_FALSE(module.file());
  EXPECT_EQ(testing::take_error(), "SystemError");
  ASSERT_TRUE(module.delattr("__name__"));
  EXPECT_FALSE(module.name());
  EXPECT_EQ(testing::take_error(), "SystemError");
}

struct State {
  int number;
};

int set_up(PyObject* module) {
  static_cast<State*>(PyModule_GetState(module))->number = 42;
  return 0;
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(set_up)}, {0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "with_state", nullptr,
                          sizeof(State),         nullptr,      slots};

TEST(Module, HasAState) {
  const Owned<> spec = testing::defined_in(
      "import importlib.machinery\nspec = importlib.machinery.ModuleSpec('with_state', None)\n",
      "spec");
  const Owned<Module> module =
      Owned<Module>::steal(PyModule_FromDefAndSpec(&definition, spec.get()));
  ASSERT_EQ(PyModule_ExecDef(module.get(), &definition), 0);
  EXPECT_EQ(module.state<State>()->number, 42);
}

TEST(Module, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<Module> module = new_module();
    EXPECT_TRUE(module.add("x", value_of("[]")));
    EXPECT_TRUE(module.name());
    EXPECT_FALSE(module.file());
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
