#include "tenure/core/abi/code.h"

#include <string>

#include <gtest/gtest.h>

#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::compile;
using testing::inner_code;

TEST(RunsOnce, IsTrueOfModulesAndClassBodies) {
  const Strong module = compile("class Sample:\n  limit = 1\n  class Inner: pass\n");
  EXPECT_TRUE(runs_once(module.get()));
  PyObject* body = inner_code(module.get());
  EXPECT_TRUE(runs_once(body));
  EXPECT_TRUE(runs_once(inner_code(body)));
}

TEST(RunsOnce, IsFalseOfEveryKindOfFunction) {
  for (const char* source :
       {"def f(): pass", "lambda: 0", "async def f(): pass", "def f(): yield", "(x for x in y)",
        "async def f(): yield", "def f():\n  def g(): pass\n"}) {
    const Strong module = compile(std::string(source) + "\n");
    EXPECT_FALSE(runs_once(inner_code(module.get()))) << source;
  }
}

TEST(IsUnused, IsTrueOfFreshCode) {
  const Strong module = compile("def f(): return 1\n");
  EXPECT_TRUE(is_unused(module.get()));
  EXPECT_TRUE(is_unused(inner_code(module.get())));
  const Strong unmarshalled = testing::evaluate(
      "__import__('marshal').loads(__import__('marshal').dumps(compile('x = 1', 'f', 'exec')))");
  EXPECT_TRUE(is_unused(unmarshalled.get()));
}

TEST(IsUnused, IsTrueOfCodeThatWasLookedInto) {
  const Strong module = compile("def f(): return 1\n");
  for (const char* name : {"co_code", "co_varnames", "co_freevars"}) {
    const Strong value = testing::attribute(module.get(), name);
  }
  PyObject_Hash(module.get());
  EXPECT_TRUE(is_unused(module.get()));
}

// The interpreter keeps addresses in the bytecode of what it has run.
TEST(IsUnused, IsFalseOfCodeThatHasRun) {
  const Strong module = compile("total = 0\nfor step in range(1000): total += step\n");
  EXPECT_TRUE(is_unused(module.get()));
  const Strong globals = testing::run("");
  const Strong result = PyEval_EvalCode(module.get(), globals.get(), globals.get());
  ASSERT_TRUE(result);
  EXPECT_FALSE(is_unused(module.get()));
  const Strong names = testing::run("def f(): return len(()) + 1\nfor each in range(1000): f()\n");
  const Strong code = testing::attribute(PyDict_GetItemString(names.get(), "f"), "__code__");
  EXPECT_FALSE(is_unused(code.get()));
}

TEST(IsUnused, LeaksNothing) {
  const Strong module = compile("def f(): return 1\n");
  testing::expect_no_leak([&module] { is_unused(module.get()); });
}

TEST(IsUnused, IsFalseOfCodeThatIsWatched) {
  const Strong names = testing::run(R"(
def f():
    return 1

monitoring = sys.monitoring
monitoring.use_tool_id(4, 'a test')
monitoring.set_local_events(4, f.__code__, monitoring.events.LINE)
f()
)");
  const Strong code = testing::attribute(PyDict_GetItemString(names.get(), "f"), "__code__");
  EXPECT_FALSE(is_unused(code.get()));
  const Strong freed = testing::evaluate("sys.monitoring.free_tool_id(4)");
}

TEST(CodeVersion, IsWhatWasSet) {
  PyObject* code = testing::freeze_value("compile('x = 1', 'f.py', 'exec')");
  for (uint32_t version : {kFirstImageVersion, kFirstImageVersion + 1, ~uint32_t{0}, 0u, 1u}) {
    set_code_version(code, version);
    EXPECT_EQ(code_version(code), version);
  }
}

// The interpreter hands its versions out from 1 up, so what it gives is far below an image's.
TEST(CodeVersion, OfTheInterpreterIsNoImages) {
  for (int i = 0; i < 100; ++i) {
    const Strong code = compile("def f(): pass\n");
    EXPECT_NE(code_version(code.get()), 0u);
    EXPECT_LT(code_version(code.get()), kFirstImageVersion / 2);
  }
}

TEST(CodeVersion, ChangesNothingElse) {
  const Strong code = compile("x = 1\n");
  PyObject* a = testing::freeze(code.get());
  set_code_version(a, 0x87654321);
  EXPECT_TRUE(testing::equal(a, code.get()));
  EXPECT_EQ(testing::unused_bytes(a), testing::unused_bytes(code.get()));
}

TEST(FrozenCode, RunsAndSpecialises) {
  const Strong module = compile("total = 0\nfor step in range(10000): total += step\n");
  PyObject* code = testing::freeze(module.get());
  const Strong globals = testing::run("");
  const Strong result = PyEval_EvalCode(code, globals.get(), globals.get());
  ASSERT_TRUE(result);
  EXPECT_EQ(PyLong_AsLong(PyDict_GetItemString(globals.get(), "total")), 49995000);
}

}  // namespace
}  // namespace tenure::abi
