#include "tenure/core/abi/owned.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/immortal.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;

std::set<PyObject*> owned_by(PyObject* object) {
  std::set<PyObject*> owned;
  visit_owned(
      object,
      [](PyObject* found, void* set) {
        static_cast<std::set<PyObject*>*>(set)->insert(found);
        return 0;
      },
      &owned);
  return owned;
}

// True of an expression whose value is (object, part): the object owns the part.
bool owns(const std::string& expression) {
  const Strong pair = evaluate(expression);
  return owned_by(PyTuple_GET_ITEM(pair.get(), 0)).contains(PyTuple_GET_ITEM(pair.get(), 1));
}

TEST(VisitOwned, FindsWhatTheCollectorFinds) {
  for (const char* expression :
       {"(lambda x: ([x], x))(object())", "(lambda x: ((1, x), x))(object())",
        "(lambda x: ({1: x}, x))(object())", "(lambda x: ({x}, x))(object())",
        "(lambda x: (slice(0, x), x))(object())",
        "(lambda x: ((lambda: x), x))(object())[0].__closure__ and "
        "(lambda x: ((lambda: x).__closure__[0], x))(object())"}) {
    EXPECT_TRUE(owns(expression)) << expression;
  }
}

TEST(VisitOwned, FindsWhatTheCollectorDoesNot) {
  for (const char* expression :
       {"(lambda x: ({x: 1}, x))('a key of a dict of strings')",
        "(lambda x: (range(x), x))(10 ** 20)",
        "(lambda c: (c, c.co_consts))((lambda: 1.5).__code__)",
        "(lambda c: (c, c.co_name))((lambda: 1.5).__code__)",
        "(lambda c: (c, c.co_code))((lambda: 1.5).__code__)",
        "(lambda d: (d, d.__name__))(type('T', (), {'__slots__': ('a',)}).a)",
        "(lambda t: (t, t.__name__))(type('The name of a type', (), {}))",
        "(lambda t, m: (m.datetime(2020, 1, 1, tzinfo=t), t))"
        "(*(lambda m: (m.timezone(m.timedelta(1) / 2), m))(__import__('datetime')))",
        "(lambda t, m: (m.time(1, tzinfo=t), t))"
        "(*(lambda m: (m.timezone(m.timedelta(1) / 2), m))(__import__('datetime')))"}) {
    EXPECT_TRUE(owns(expression)) << expression;
  }
}

TEST(VisitOwned, FindsTheNamesOfAttributes) {
  const Strong names = testing::run(
      "import sys\n"
      "class T:\n"
      "  def __init__(self): setattr(self, sys.intern('attribute of a test of the owned'), 1)\n"
      "T()\n"
      "name = sys.intern('attribute of a test of the owned')\n");
  EXPECT_TRUE(owned_by(PyDict_GetItemString(names.get(), "T"))
                  .contains(PyDict_GetItemString(names.get(), "name")));
}

TEST(VisitOwned, FindsNothingInWhatHoldsNothing) {
  for (const char* expression : {"10 ** 20", "1.5", "'text'", "b'bytes'", "None", "...", "3j"}) {
    EXPECT_TRUE(owned_by(evaluate(expression).get()).empty()) << expression;
  }
}

TEST(VisitOwned, EndsWhenItIsTold) {
  for (const char* expression :
       {"[1, 2, 3]", "{'a': 1, 'b': 2}", "(lambda: 1.5).__code__", "range(10 ** 20, 10 ** 21)"}) {
    const Strong object = evaluate(expression);
    int visits = 0;
    visit_owned(
        object.get(),
        [](PyObject*, void* count) {
          ++*static_cast<int*>(count);
          return 1;
        },
        &visits);
    EXPECT_EQ(visits, 1) << expression;
  }
}

TEST(IsNamespaceOf, IsTrueOfGlobalsAndBuiltins) {
  const Strong names = testing::run("def f(): pass\nother = {}\n");
  PyObject* function = PyDict_GetItemString(names.get(), "f");
  EXPECT_TRUE(is_namespace_of(function, names.get()));
  EXPECT_TRUE(is_namespace_of(function, PyEval_GetBuiltins()));
  EXPECT_FALSE(is_namespace_of(function, PyDict_GetItemString(names.get(), "other")));
  EXPECT_FALSE(is_namespace_of(names.get(), names.get()));
}

TEST(IsUnfinished, IsTrueOfTuplesWithEmptySlots) {
  const Strong tuple = PyTuple_New(2);
  EXPECT_TRUE(is_unfinished(tuple.get()));
  PyTuple_SET_ITEM(tuple.get(), 0, Py_NewRef(Py_None));
  EXPECT_TRUE(is_unfinished(tuple.get()));
  PyTuple_SET_ITEM(tuple.get(), 1, Py_NewRef(Py_None));
  EXPECT_FALSE(is_unfinished(tuple.get()));
  EXPECT_FALSE(is_unfinished(evaluate("()").get()));
  EXPECT_FALSE(is_unfinished(evaluate("[]").get()));
}

TEST(FillHash, IsTheHashThatPythonHas) {
  for (const char* expression : {"' '.join(['fresh', 'str'])", "b' '.join([b'fresh', b'bytes'])",
                                 "frozenset([1000, 2000])"}) {
    const Strong object = evaluate(expression);
    EXPECT_TRUE(fill_hash(object.get())) << expression;
    EXPECT_FALSE(fill_hash(object.get())) << "only once";
    const Strong same = evaluate(expression);
    EXPECT_EQ(PyObject_Hash(object.get()), PyObject_Hash(same.get())) << expression;
  }
}

TEST(FillHash, DoesNothingWhereCodeWouldRunOrNothingIsKept) {
  for (const char* expression :
       {"1.5", "[1]", "{1: 2}", "([1],)", "(object(),)", "(type('T', (), {'__hash__': None})(),)",
        "type('S', (str,), {'__hash__': lambda s: 1})('x')"}) {
    EXPECT_FALSE(fill_hash(evaluate(expression).get())) << expression;
  }
}

TEST(FillUtf8, IsForWhatIsNotAscii) {
  const Strong text = evaluate("'\\xe9' * 10");
  EXPECT_TRUE(fill_utf8(text.get()));
  EXPECT_FALSE(fill_utf8(text.get()));
  EXPECT_FALSE(fill_utf8(evaluate("'ascii' * 3").get()));
  EXPECT_FALSE(fill_utf8(evaluate("'\\ud800' * 3").get())) << "it has none";
  EXPECT_FALSE(fill_utf8(evaluate("1").get()));
}

TEST(BytesOf, IsAtLeastWhatPythonSays) {
  for (const char* expression :
       {"10 ** 100", "1.5", "b'x' * 99", "'x' * 99", "'\\u20ac' * 99", "(1,) * 9", "[1] * 99",
        "{i: i for i in range(99)}", "set(range(99))", "frozenset(range(99))", "object()"}) {
    const Strong object = evaluate(expression);
    const Strong says = PyObject_CallMethod(object.get(), "__sizeof__", nullptr);
    const size_t bytes = bytes_of(object.get());
    EXPECT_GE(bytes, PyLong_AsSize_t(says.get())) << expression;
    EXPECT_LE(bytes, PyLong_AsSize_t(says.get()) + 16) << expression;
  }
}

}  // namespace
}  // namespace tenure::abi
