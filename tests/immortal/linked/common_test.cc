// What holds of a linked graph in every kind of program.

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/strong.h"
#include "tenure/handles/list.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/sealing.h"
#include "tenure/tests/immortal/linked/kept.h"
#include "tenure/tests/immortal/linked/sample.h"
#include "tenure/tests/immortal/linked/sealed.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using testing::equal;
using testing::evaluate;
using testing::Gil;
using testing::repr;

constexpr const char* kValue =
    "{'countries': ("
    "{'alpha_2': 'DE', 'name': 'Deutschland', 'flag': '\\U0001f1e9\\U0001f1ea', 'area': 357588,"
    " 'ratio': 1.5},"
    "{'alpha_2': 'CI', 'name': 'C\\xf4te d\\'Ivoire', 'flag': '\\U0001f1e8\\U0001f1ee',"
    " 'area': 322463, 'ratio': 0.25}),"
    "'letters': ('a', 'b', '\\xe9', '', 'ab'),"
    "'numbers': (0, 1, -5, 256, 257, 12345678901234567890),"
    "'none': None, 'yes': True, 'no': False}";

Strong item(PyObject* mapping, const char* key) { return PyMapping_GetItemString(mapping, key); }

PyObject* at(const Strong& tuple, Py_ssize_t index) { return PyTuple_GetItem(tuple.get(), index); }

// An object that Python code sees as `x` in this expression.
bool holds(PyObject* object, const std::string& expression) {
  const Strong names = testing::run("");
  EXPECT_EQ(PyDict_SetItemString(names.get(), "x", object), 0);
  const Strong answer = PyRun_String(expression.c_str(), Py_eval_input, names.get(), names.get());
  EXPECT_TRUE(answer) << testing::take_error();
  return answer && PyObject_IsTrue(answer.get()) == 1;
}

TEST(LinkedGraph, HasWhatWasFrozen) {
  const auto root = sample::root();
  ASSERT_TRUE(root) << testing::take_error();
  EXPECT_TRUE(equal((*root).get(), evaluate(kValue).get())) << repr((*root).get());
  EXPECT_EQ(repr((*root).get()), repr(evaluate(kValue).get()));
}

TEST(LinkedGraph, HasAViewForEachRoot) {
  static_assert(std::is_same_v<decltype(sample::root()), Result<Borrowed<Mapping>>>);
  static_assert(std::is_same_v<decltype(kept::lists()), Result<Borrowed<Dict>>>);
  static_assert(std::is_same_v<decltype(kept::rows()), Result<Borrowed<List>>>);
  EXPECT_EQ(repr((*kept::rows()).get()),
            "[{'code': 'DE', 'name': 'Deutschland'}, {'code': 'FR', 'name': 'France'}]");
}

TEST(LinkedGraph, NamesTheInterpretersOwnObjects) {
  PyObject* root = (*sample::root()).get();
  EXPECT_EQ(Py_TYPE(root), abi::frozen_dict_type());
  EXPECT_TRUE(PyTuple_CheckExact(item(root, "letters").get()));
  EXPECT_EQ(item(root, "none").get(), Py_None);
  EXPECT_EQ(item(root, "yes").get(), Py_True);
  EXPECT_EQ(item(root, "no").get(), Py_False);
  const Strong letters = item(root, "letters");
  EXPECT_TRUE(PyUnicode_CheckExact(at(letters, 4)));
  EXPECT_EQ(at(letters, 0), evaluate("'a'").get());
  EXPECT_EQ(at(letters, 2), evaluate("chr(0xe9)").get());
  EXPECT_EQ(at(letters, 3), evaluate("''").get());
  const Strong numbers = item(root, "numbers");
  EXPECT_EQ(at(numbers, 0), evaluate("0").get());
  EXPECT_EQ(at(numbers, 2), evaluate("-5").get());
  EXPECT_EQ(at(numbers, 3), evaluate("256").get());
  EXPECT_TRUE(
      holds(root, "type(x['countries'][0]['area']) is int and x['letters'][0] is 'abc'[0]"));
}

TEST(LinkedGraph, AnswersTheSameEachTime) {
  EXPECT_EQ((*sample::root()).get(), (*sample::root()).get());
  EXPECT_EQ((*kept::lists()).get(), (*kept::lists()).get());
  EXPECT_EQ(sample::graph.image(), sample::graph.image());
  EXPECT_EQ(kept::graph.image(), kept::graph.image());
  testing::expect_no_leak([] {
    EXPECT_TRUE(sample::root());
    EXPECT_TRUE(kept::rows());
  });
}

TEST(LinkedGraph, IsHashedAndLookedUpLikeAnyData) {
  PyObject* root = (*sample::root()).get();
  EXPECT_TRUE(holds(root, "hash(x['countries'][1]['name']) == hash('C\\xf4te d\\'Ivoire')"));
  EXPECT_TRUE(holds(root, "hash(x) == hash(type(x)(dict(x)))"));
  EXPECT_TRUE(holds(root, "{c['alpha_2']: c for c in x['countries']}['CI']['area'] == 322463"));
  EXPECT_TRUE(holds(root,
                    "x['countries'][0]['flag'].encode() == b'\\xf0\\x9f\\x87\\xa9\\xf0\\x9f"
                    "\\x87\\xaa'"));
}

TEST(LinkedGraph, SealsItselfIfItWasFrozenSo) {
  ASSERT_TRUE(sealed::root()) << testing::take_error();
  EXPECT_TRUE(image::is_sealed(*sealed::graph.image()));
  EXPECT_TRUE(holds((*sealed::root()).get(), "hash(x['countries'][1]['name']) != 0"));
  EXPECT_TRUE(equal((*sealed::root()).get(), (*sample::root()).get()));
}

TEST(LinkedGraph, IsSharedByInterpreters) {
  PyObject* const root = (*sample::root()).get();
  for (const Gil gil : {Gil::kShared, Gil::kOwn}) {
    testing::Subinterpreter(gil).run([root] {
      const auto here = sample::root();
      ASSERT_TRUE(here) << testing::take_error();
      EXPECT_EQ((*here).get(), root);
      EXPECT_TRUE(equal((*here).get(), evaluate(kValue).get()));
      EXPECT_TRUE(holds((*here).get(), "isinstance(x, __import__('collections.abc').abc.Mapping)"));
    });
  }
}

TEST(LinkedGraph, OfListsIsEachInterpretersOwn) {
  PyObject* const rows = (*kept::rows()).get();
  for (const Gil gil : {Gil::kShared, Gil::kOwn}) {
    testing::Subinterpreter(gil).run([rows] {
      const auto here = kept::rows();
      ASSERT_TRUE(here) << testing::take_error();
      EXPECT_NE((*here).get(), rows);
      EXPECT_EQ((*here).get(), (*kept::rows()).get());
      EXPECT_TRUE((*here).clear());
    });
  }
  EXPECT_EQ((*kept::rows()).size(), 2);
}

TEST(LinkedGraph, IsThereInAForkedChild) {
  PyObject* const root = (*sample::root()).get();
  testing::expect_in_child([root] {
    EXPECT_EQ((*sample::root()).get(), root);
    EXPECT_TRUE(equal(root, evaluate(kValue).get()));
  });
}

}  // namespace
}  // namespace tenure
