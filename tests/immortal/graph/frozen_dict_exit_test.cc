// FrozenDict after the interpreter has ended, and in those that come after it.

#include <gtest/gtest.h>

#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

using testing::passes;
using testing::Program;
using testing::require;

void use() {
  require(ready_frozen_dict(), "it is ready");
  require(abi::frozen_dict_type() == reinterpret_cast<PyTypeObject*>(abi::kFrozenDictTypeAddress),
          "it is at its place");
  PyObject* names = PyModule_GetDict(PyImport_AddModule("__main__"));
  require(PyDict_SetItemString(names, "FrozenDict",
                               reinterpret_cast<PyObject*>(abi::frozen_dict_type())) == 0,
          "it is there");
  require(PyRun_SimpleString(
              "import datetime, gc, weakref, collections.abc\n"
              "d = FrozenDict({'a': [1], **{str(i): i for i in range(100)}, int: 'type'})\n"
              "assert isinstance(d, collections.abc.Mapping)\n"
              "assert isinstance(d.items(), collections.abc.ItemsView)\n"
              "assert d['77'] == 77 and d[int] == 'type' and str not in d\n"
              "assert dict(d.items()) == d and repr(d) == repr(dict(d))\n"
              "assert [1] in d.values() and list(reversed(d))[-1] == 'a'\n"
              "d['a'].append(d)\n"
              "assert datetime.date(2000, 1, 1).year == 2000\n"
              "w = weakref.ref(FrozenDict)\n"
              "class C:\n"
              "  def __get__(self, *args): return FrozenDict.__doc__\n"
              "del d; gc.collect()\n"
              "kept = FrozenDict(a=FrozenDict(b=[]))\n") == 0,
          "it works");
}

const Program again_and_again("again_and_again", [] {
  for (int turn = 0; turn < 4; ++turn) {
    testing::start_python();
    use();
    require(Py_FinalizeEx() == 0, "the interpreter ends well");
  }
});

TEST(FrozenDictExit, AgainAndAgain) { EXPECT_TRUE(passes(again_and_again)); }

const Program not_always("not_always", [] {
  for (int turn = 0; turn < 6; ++turn) {
    testing::start_python();
    if (turn % 2 == 0) use();
    require(PyRun_SimpleString("import datetime; datetime.date(2000, 1, 1)") == 0, "others work");
    if (turn % 3 == 0) use();
    require(Py_FinalizeEx() == 0, "the interpreter ends well");
  }
});

TEST(FrozenDictExit, NotInEveryInterpreter) { EXPECT_TRUE(passes(not_always)); }

void in_another(testing::Gil gil, bool datetime_first) {
  PyThreadState* before = PyThreadState_Get();
  PyThreadState* other = testing::new_interpreter(gil);
  if (datetime_first) {
    require(PyRun_SimpleString("import datetime; datetime.date(2000, 1, 1)") == 0, "others work");
  }
  use();
  Py_EndInterpreter(other);
  PyThreadState_Swap(before);
}

const Program others_first("others_first", [] {
  for (int turn = 0; turn < 3; ++turn) {
    testing::start_python();
    for (const testing::Gil gil : {testing::Gil::kOwn, testing::Gil::kShared}) {
      in_another(gil, true);
      in_another(gil, false);
    }
    if (turn != 1) use();
    in_another(testing::Gil::kOwn, false);
    require(Py_FinalizeEx() == 0, "the interpreter ends well");
  }
});

TEST(FrozenDictExit, SubinterpretersFirst) { EXPECT_TRUE(passes(others_first)); }

}  // namespace
}  // namespace tenure::graph
