#include "tenure/core/abi/immortal.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;

TEST(IsImmortal, SaysSoOfTheInterpretersOwn) {
  for (const char* expression :
       {"None", "True", "...", "0", "256", "''", "'a'", "b''", "()", "int"}) {
    const Strong object = evaluate(expression);
    EXPECT_TRUE(is_immortal(object.get())) << expression;
  }
}

TEST(IsImmortal, DoesNotSaySoOfOthers) {
  // Constants of code are immortal where there is no GIL, so these are none.
  for (const char* expression :
       {"int('1' * 20)", "'ab'.upper() * 50", "[]", "frozenset({1})", "object()"}) {
    const Strong object = evaluate(expression);
    EXPECT_FALSE(is_immortal(object.get())) << expression;
  }
}

// All that stands in front of the type.
std::string count_of(PyObject* object) {
  return std::string(reinterpret_cast<const char*>(object), offsetof(PyObject, ob_type));
}

TEST(MakeImmortal, FixesTheCount) {
  for (const char* expression : {"frozenset({1000, 2000})", "slice(1, 2, 3)", "tuple([1000, 2000])",
                                 "int('1' * 20)", "float('2.5')", "b'some bytes'.upper()"}) {
    PyObject* object = evaluate(expression).release();
    EXPECT_FALSE(is_immortal(object)) << expression;
    make_immortal(object);
    EXPECT_TRUE(is_immortal(object)) << expression;
    const std::string before = count_of(object);
    for (int i = 0; i < 10; ++i) Py_INCREF(object);
    for (int i = 0; i < 100; ++i) Py_DECREF(object);
    EXPECT_EQ(count_of(object), before) << expression;
    const Strong same = evaluate(expression);
    EXPECT_TRUE(testing::equal(object, same.get())) << expression;
  }
}

// From 3.14 on it looks at a flag beside the count when it puts objects on its stack.
TEST(MakeImmortal, KeepsTheInterpretersStackFromCounting) {
  for (const char* expression :
       {"frozenset({1000, 2000})", "tuple([1000, 2000])", "int('1' * 20)", "float('2.5')"}) {
    PyObject* object = evaluate(expression).release();
    make_immortal(object);
    const std::string before = count_of(object);
    const Strong names = testing::run(
        "def use(x):\n"
        "    y = [x, x]\n"
        "    for z in y: x = z\n"
        "    return (lambda: (x, y))()\n"
        "class Holder: pass\n");
    PyDict_SetItemString(names.get(), "given", object);
    const Strong used = PyRun_String(
        "held = Holder(); held.x = given\n"
        "for i in range(100): use(given); use(held.x); given; held.x\n",
        Py_file_input, names.get(), names.get());
    ASSERT_TRUE(used) << expression;
    EXPECT_EQ(count_of(object), before) << expression;
  }
}

TEST(MakeImmortal, TakesTheObjectOutOfTheCollectorsSight) {
  for (const char* expression : {"frozenset({1000, 2000})", "slice(1, 2, 3)", "(1000, [])"}) {
    PyObject* object = evaluate(expression).release();
    make_immortal(object);
    EXPECT_FALSE(PyObject_GC_IsTracked(object)) << expression;
    PyGC_Collect();
    EXPECT_GE(PyObject_Hash(object) == -1 ? (PyErr_Clear(), 0) : 0, 0);
    EXPECT_TRUE(is_immortal(object)) << expression;
  }
}

// An object that the collector had untracked by itself must not be untracked again.
TEST(MakeImmortal, TakesUntrackedObjects) {
  const Strong numbers = evaluate("(1000, 2000)");
  PyGC_Collect();
  PyObject* object = Py_NewRef(numbers.get());
  make_immortal(object);
  make_immortal(object);
  EXPECT_TRUE(is_immortal(object));
}

TEST(MakeLiveImmortal, KeepsWhatIsCountedAlready) {
  for (const char* expression : {"frozenset({1000, 2000})", "(1000, [])", "10 ** 20", "2.5",
                                 "b'some bytes'", "[1000]", "{1000}"}) {
    const Strong object = evaluate(expression);
    for (int i = 0; i < 100; ++i) Py_INCREF(object.get());
    ASSERT_TRUE(make_live_immortal(object.get())) << expression;
    EXPECT_TRUE(is_immortal(object.get())) << expression;
    const std::string before = count_of(object.get());
    for (int i = 0; i < 100; ++i) Py_DECREF(object.get());
    for (int i = 0; i < 100; ++i) Py_INCREF(object.get());
    EXPECT_EQ(count_of(object.get()), before) << expression;
    const Strong same = evaluate(expression);
    EXPECT_TRUE(testing::equal(object.get(), same.get())) << expression;
    ASSERT_TRUE(make_live_immortal(object.get()));
    EXPECT_EQ(count_of(object.get()), before) << "again";
  }
}

TEST(MakeLiveImmortal, TakesStrsWhateverTheyAre) {
  PyObject* interned = PyUnicode_FromString("interned by a test of the immortal");
  PyUnicode_InternInPlace(&interned);
  ASSERT_TRUE(make_live_immortal(interned));
  EXPECT_TRUE(is_immortal(interned));
  PyObject* equal = PyUnicode_FromString("interned by a test of the immortal");
  PyUnicode_InternInPlace(&equal);
  EXPECT_EQ(equal, interned);

  for (const char* text : {"not interned by a test", "nicht intern\xc3\xa9 von einem Test"}) {
    PyObject* str = PyUnicode_FromString(text);
    ASSERT_TRUE(make_live_immortal(str));
#ifdef Py_DEBUG
    EXPECT_FALSE(is_immortal(str)) << "debug builds assert that";
#else
    EXPECT_TRUE(is_immortal(str)) << text;
#endif
    // Its own reference goes to the interpreter's table.
    PyObject* same = str;
    PyUnicode_InternInPlace(&same);
    EXPECT_EQ(same, str) << text;
  }
}

TEST(MakeLiveImmortal, KeepsTheReferenceTotalOfDebugBuilds) {
  const Py_ssize_t before = testing::reference_total();
  PyObject* object = PyList_New(0);
  for (int i = 0; i < 10; ++i) Py_INCREF(object);
  ASSERT_TRUE(make_live_immortal(object));
  EXPECT_EQ(testing::reference_total(), before);
}

}  // namespace
}  // namespace tenure::abi
