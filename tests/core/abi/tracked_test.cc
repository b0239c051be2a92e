#include "tenure/core/abi/tracked.h"

#include <map>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using Times = std::map<PyObject*, int>;

Times all() {
  Times times;
  for_each_tracked(
      [](PyObject* object, void* argument) { ++(*static_cast<Times*>(argument))[object]; }, &times);
  return times;
}

// Everything that the collector's own functions show, and each once.
void expect_all_of(PyObject* list, const Times& times) {
  ASSERT_TRUE(PyList_Check(list));
  ASSERT_GT(PyList_GET_SIZE(list), 1000);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    const auto found = times.find(PyList_GET_ITEM(list, i));
    ASSERT_NE(found, times.end()) << testing::repr(PyList_GET_ITEM(list, i));
    ASSERT_EQ(found->second, 1) << testing::repr(PyList_GET_ITEM(list, i));
  }
}

TEST(TrackedTest, EachObjectOnce) {
  for (const char* first :
       {"0", "gc.collect()", "gc.collect(0)", "[[i] for i in range(100_000)]"}) {
    const Strong names = testing::run(std::string("import collections, gc, json\nkept = ") + first +
                                      "\nfound = gc.get_objects()\n");
    PyObject* list = PyDict_GetItemString(names.get(), "found");
    expect_all_of(list, all());
  }
}

TEST(TrackedTest, FewModules) {
  const Strong names = testing::run(
      "import gc\n"
      "modules = dict(sys.modules)\n"
      "sys.modules.clear()\n"
      "sys.modules.update({'sys': sys, 'none': None, 'text': 'text', 'sys2': sys})\n"
      "found = gc.get_objects()\n");
  const Times times = all();
  const Strong restored = PyObject_CallMethod(PyImport_GetModuleDict(), "update", "O",
                                              PyDict_GetItemString(names.get(), "modules"));
  ASSERT_TRUE(restored);
  expect_all_of(PyDict_GetItemString(names.get(), "found"), times);
}

#ifndef Py_GIL_DISABLED

TEST(TrackedTest, FrozenOnesToo) {
  const Strong names = testing::run(
      "import gc\nkept = [[] for _ in range(1000)]\nfound = gc.get_objects()\ngc.freeze()\n");
  const Times times = all();
  const Strong thawed = testing::evaluate("__import__('gc').unfreeze()");
  expect_all_of(PyDict_GetItemString(names.get(), "found"), times);
}

#endif

}  // namespace
}  // namespace tenure::abi
