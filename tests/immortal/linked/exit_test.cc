// Linked graphs at the end of the interpreter and after it, each in a process of its own.

#include <gtest/gtest.h>

#include "tenure/handles/list.h"
#include "tenure/tests/immortal/linked/kept.h"
#include "tenure/tests/immortal/linked/sample.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using testing::Gil;
using testing::passes;
using testing::Program;
using testing::require;

void use_both() {
  require(static_cast<bool>(sample::root()), "there is the graph");
  require(testing::repr((*sample::root()).get()).starts_with("{'countries': ({'alpha_2': 'DE'"),
          "it is as it was frozen");
  require(PyObject_Hash((*sample::root()).get()) != -1, "it can be hashed");
  require((*kept::rows()).size() == 2, "the rows are as they were frozen");
  require(static_cast<bool>((*kept::rows()).clear()), "and can be changed");
}

const Program started_three_times("started_three_times", [] {
  for (int i = 0; i < 3; ++i) {
    testing::start_python();
    use_both();
    require(Py_FinalizeEx() == 0, "the interpreter ends well");
  }
});

TEST(LinkedGraphExit, AnotherInterpreterMayStart) { EXPECT_TRUE(passes(started_three_times)); }

const Program loaded_by_a_subinterpreter("loaded_by_a_subinterpreter", [] {
  testing::start_python();
  for (const Gil gil : {Gil::kShared, Gil::kOwn}) testing::Subinterpreter(gil).run(use_both);
  use_both();
  require(Py_FinalizeEx() == 0, "the interpreter ends well");
});

TEST(LinkedGraphExit, MayBeFirstUsedByAnInterpreterThatEnds) {
  EXPECT_TRUE(passes(loaded_by_a_subinterpreter));
}

const Program loaded_by_a_child("loaded_by_a_child", [] {
  testing::start_python();
  const pid_t child = testing::fork_python();
  use_both();
  require(Py_FinalizeEx() == 0, "the interpreter ends well");
  if (child == 0) return;
  require(static_cast<bool>(testing::ended_well(child)), "so does the child's");
});

TEST(LinkedGraphExit, MayBeFirstUsedByAForkedChild) { EXPECT_TRUE(passes(loaded_by_a_child)); }

}  // namespace
}  // namespace tenure
