#include "tenure/core/abi/strings.h"

#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/immortal.h"
#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;
using testing::freeze_value;

// The state of a str as plain numbers, and all that stands in front of its type.
struct State {
  unsigned interned;
  unsigned is_static;
  std::string count;
  bool operator==(const State&) const = default;
};

State state_of(PyObject* str) {
  const auto& state = reinterpret_cast<PyASCIIObject*>(str)->state;
  return {state.interned, state.statically_allocated,
          std::string(reinterpret_cast<const char*>(str), offsetof(PyObject, ob_type))};
}

// A str that equals `str` and is another object.
Strong twin(PyObject* str) {
  const Strong joined = PyUnicode_FromFormat("%U!", str);
  return PyUnicode_Substring(joined.get(), 0, PyUnicode_GET_LENGTH(str));
}

// What the interpreter makes of an equal str when it is asked to intern it.
PyObject* interned_twin(PyObject* str) {
  PyObject* other = twin(str).release();
  PyUnicode_InternInPlace(&other);
  Py_DECREF(other);  // the table keeps it
  return other;
}

// An expression for the str of a literal that is made anew: constants of code are interned where
// there is no GIL.
std::string made_anew(const std::string& literal) { return "(" + literal + ").swapcase()"; }

// Strings of every form, each of new content: `mark` tells those of one test from another's.
std::vector<std::string> contents(const std::string& mark) {
  std::vector<std::string> expressions = {"'" + mark + "'", "'" + mark + " \\xe9'",
                                          "'" + mark + " \\u20ac'", "'" + mark + " \\U0001f40d'",
                                          "'" + mark + " ' + 'x' * 5000"};
  for (std::string& expression : expressions) expression = made_anew(expression);
  return expressions;
}

enum class Way { kFunction, kTable };

// Both ways of interning. Where the interpreter's table is not to be had, the second is the first.
class InternUnused : public ::testing::TestWithParam<Way> {
 protected:
  PyObject* table() const { return GetParam() == Way::kTable ? find_intern_table() : nullptr; }
  std::string mark(const char* test) const {
    return std::string(test) + (GetParam() == Way::kTable ? "_by_table" : "_by_function");
  }
};

INSTANTIATE_TEST_SUITE_P(Ways, InternUnused, ::testing::Values(Way::kFunction, Way::kTable),
                         [](const auto& way) {
                           return way.param == Way::kTable ? "Table" : "Function";
                         });

TEST_P(InternUnused, MakesTheImagesStringTheInterpretersOwn) {
  PyObject* const where = table();
  for (const std::string& content : contents(mark("fresh"))) {
    PyObject* str = freeze_value(content.c_str());
    EXPECT_FALSE(is_interned(str));
    EXPECT_FALSE(is_interned_here(str));
    ASSERT_EQ(intern_unused(str, where), str) << content;
    EXPECT_TRUE(is_interned(str)) << content;
    EXPECT_TRUE(is_interned_here(str)) << content;
    EXPECT_TRUE(is_immortal(str)) << content;
    EXPECT_EQ(state_of(str).is_static, 1u) << content;
    EXPECT_EQ(interned_twin(str), str) << content;
    EXPECT_TRUE(is_interned_here(str)) << "still, after somebody interned an equal one";
  }
}

TEST_P(InternUnused, AnswersTheOneThatWasThereBefore) {
  PyObject* const where = table();
  for (const std::string& content : contents(mark("duplicate"))) {
    const Strong before = evaluate("sys.intern(" + content + ")");
    PyObject* str = freeze_value(content.c_str());
    const State state = state_of(str);
    EXPECT_EQ(intern_unused(str, where), before.get()) << content;
    EXPECT_TRUE(is_immortal(before.get())) << content;
    EXPECT_FALSE(is_interned(str)) << content;
    EXPECT_EQ(state_of(str), state) << content;
    EXPECT_EQ(interned_twin(str), before.get()) << content;
  }
}

TEST_P(InternUnused, AnswersTheFirstOfTwoImages) {
  PyObject* const where = table();
  for (const std::string& content : contents(mark("two"))) {
    PyObject* first = freeze_value(content.c_str());
    PyObject* second = freeze_value(content.c_str());
    ASSERT_EQ(intern_unused(first, where), first) << content;
    EXPECT_EQ(intern_unused(second, where), first) << content;
    EXPECT_FALSE(is_interned(second)) << content;
  }
}

TEST_P(InternUnused, KeepsTheReferenceTotalOfDebugBuilds) {
  PyObject* const where = table();
  const std::string content = made_anew("'" + mark("total") + "'");
  PyObject* fresh = freeze_value(content.c_str());
  PyObject* duplicate = freeze_value(content.c_str());
  const Py_ssize_t before = testing::reference_total();
  intern_unused(fresh, where);
  EXPECT_EQ(testing::reference_total(), before);
  intern_unused(duplicate, where);
  EXPECT_EQ(testing::reference_total(), before);
}

TEST_P(InternUnused, WorksForManyAndCollectsInBetween) {
  PyObject* const where = table();
  std::vector<PyObject*> strings;
  for (int i = 0; i < 2000; ++i) {
    const std::string content = made_anew("'" + mark("many") + std::to_string(i) + "'");
    strings.push_back(freeze_value(content.c_str()));
    ASSERT_EQ(intern_unused(strings.back(), where), strings.back());
  }
  PyGC_Collect();
  for (PyObject* str : strings) ASSERT_EQ(interned_twin(str), str);
}

// In 3.13.5 a dict goes on when it could not grow.
#ifndef Py_GIL_DISABLED
// The table has to grow at some of these, and cannot.
TEST_P(InternUnused, FailsWithMemoryErrorAndLeavesTheStringAsItWas) {
  PyObject* const where = table();
  bool failed = false;
  for (int i = 0; i < 100'000 && !failed; ++i) {
    const Strong content = PyUnicode_FromFormat("%s %d", mark("memory").c_str(), i);
    PyObject* str = testing::freeze(content.get());
    const State before = state_of(str);
    PyObject* canonical;
    {
      const testing::FailingMemory none(0);
      canonical = intern_unused(str, where);
    }
    if (canonical != nullptr) continue;
    failed = true;
    EXPECT_EQ(testing::take_error(), "MemoryError");
    EXPECT_EQ(state_of(str), before);
    EXPECT_EQ(intern_unused(str, where), str) << "with memory it works";
  }
  EXPECT_TRUE(failed);
}
#endif

TEST_P(InternUnused, SurvivesTheInterpreter) {
  EXPECT_EXIT(
      {
        PyObject* const where = table();
        std::vector<PyObject*> ours;
        for (const std::string& content : contents(mark("survivor"))) {
          ours.push_back(freeze_value(content.c_str()));
          intern_unused(ours.back(), where);
          interned_twin(ours.back());
        }
        // Those that were there before are made immortal, and freed with the interpreter.
        const Strong before = evaluate("sys.intern('" + mark("was there") + "')");
        const std::string content = "'" + mark("was there") + "'";
        intern_unused(freeze_value(content.c_str()), where);
        {
          const Strong last = Strong(Py_NewRef(before.get()));
        }
        std::vector<State> states;
        for (PyObject* str : ours) states.push_back(state_of(str));
        if (Py_FinalizeEx() != 0) _exit(1);
        testing::start_python();
        // A second life: our strings are still there, untouched by the first one's end.
        for (PyObject* str : ours) {
          if (!is_immortal(str)) _exit(2);
          if (PyUnicode_GET_LENGTH(str) < 5) _exit(3);
          interned_twin(str);
        }
        _exit(Py_FinalizeEx() == 0 ? 0 : 4);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(FindInternTable, IsTheDictOfInternedStringsOrNothing) {
  PyObject* table = find_intern_table();
#if !defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030e0000
  ASSERT_NE(table, nullptr);
  ASSERT_TRUE(PyDict_CheckExact(table));
  const Strong interned = evaluate("sys.intern('looked for in the table of interned strings')");
  EXPECT_EQ(PyDict_GetItem(table, interned.get()), interned.get());
  EXPECT_EQ(find_intern_table(), table) << "whoever asks";
#else
  EXPECT_EQ(table, nullptr);
#endif
}

TEST(FindInternTable, LeavesNothingBehind) {
  testing::expect_no_leak([] { find_intern_table(); });
}

TEST(InternText, IsTheInterpretersStringOfThatContent) {
  const char* const texts[] = {
      "interned as text", "__init__",          "a", "", "\xc3\xa9t\xc3\xa9", "\xe2\x82\xac",
      "\xf0\x9f\x90\x8d", "\xed\xa0\x80 alone"};
  for (const char* text : texts) {
    PyObject* str = intern_text(text, std::strlen(text));
    ASSERT_NE(str, nullptr) << text;
    EXPECT_TRUE(is_immortal(str)) << text;
    EXPECT_TRUE(is_interned(str)) << text;
    EXPECT_EQ(intern_text(text, std::strlen(text)), str) << text;
    EXPECT_EQ(interned_twin(str), str) << text;
  }
}

TEST(InternText, MakesAMortalOneImmortal) {
  const Strong mortal = evaluate("sys.intern(' '.join(('mortal', 'so far')))");
  EXPECT_EQ(intern_text("mortal so far", 13), mortal.get());
  EXPECT_TRUE(is_immortal(mortal.get()));
}

TEST(InternText, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(intern_text("\xff\xfe", 2), nullptr);
  EXPECT_EQ(testing::take_error(), "UnicodeDecodeError");
  EXPECT_EQ(intern_text("half \xe2\x82", 7), nullptr);
  EXPECT_EQ(testing::take_error(), "UnicodeDecodeError");
}

TEST(InternText, FailsWithMemoryError) {
  PyObject* str;
  {
    const testing::FailingMemory none(0);
    str = intern_text("there is no memory for this", 27);
  }
  EXPECT_EQ(str, nullptr);
  EXPECT_EQ(testing::take_error(), "MemoryError");
}

}  // namespace
}  // namespace tenure::abi
