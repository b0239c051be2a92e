#include "tenure/immortal/image/actions.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::evaluate;

TEST(ActionFor, KnowsFrozenSetsAndSlices) {
  const Strong set = evaluate("frozenset({1, 2})");
  EXPECT_EQ(action_for(set.get()), Action::kFrozenSet);
  const Strong empty = evaluate("frozenset()");
  EXPECT_EQ(action_for(empty.get()), Action::kFrozenSet);
  const Strong slice = evaluate("slice(1, 2)");
  EXPECT_EQ(action_for(slice.get()), Action::kSlice);
}

TEST(ActionFor, KnowsNothingElse) {
  for (const char* expression :
       {"set()", "{}", "[]", "object()", "None", "'text'", "(1,)", "type('F', (frozenset,), {})()",
        "type('D', (__import__('datetime').date,), {})(1, 2, 3)", "len"}) {
    const Strong object = evaluate(expression);
    EXPECT_EQ(action_for(object.get()), std::nullopt) << expression;
  }
}

Strong rebuilt(const char* expression) {
  const Strong object = evaluate(expression);
  const auto action = action_for(object.get());
  EXPECT_TRUE(action.has_value()) << expression;
  const Strong argument = action_argument(*action, object.get());
  EXPECT_TRUE(argument && PyTuple_CheckExact(argument.get())) << expression;
  Strong again = run_action(*action, argument.get());
  EXPECT_TRUE(again) << expression;
  EXPECT_TRUE(testing::equal(again.get(), object.get())) << expression;
  EXPECT_EQ(Py_TYPE(again.get()), Py_TYPE(object.get())) << expression;
  return again;
}

TEST(RunAction, RebuildsEqualObjects) {
  for (const char* expression :
       {"frozenset()", "frozenset({1})", "frozenset('abcdefghijklmnop')",
        "frozenset({1, 1.5, 'a', b'a', None, (1, 2), True})",
        "frozenset({frozenset({1, 2}), frozenset()})", "frozenset(range(1000))",
        "frozenset({(1, frozenset({2, 3}))})", "slice(None)", "slice(1, 2)", "slice(1, -2, 3)",
        "slice('a', None, (1,))"}) {
    const Strong object = rebuilt(expression);
    EXPECT_TRUE(object);
  }
}

TEST(RunAction, RefusesWhatDoesNotFit) {
  const Strong two = evaluate("(1, 2)");
  EXPECT_EQ(run_action(Action::kSlice, two.get()), nullptr);
  EXPECT_EQ(PyErr_Occurred(), nullptr);
  for (int number : {0, 3, 1000, 0xffff}) {
    EXPECT_EQ(run_action(static_cast<Action>(number), two.get()), nullptr) << number;
    EXPECT_EQ(PyErr_Occurred(), nullptr);
  }
  const Strong unhashable = evaluate("(1, [])");
  EXPECT_EQ(run_action(Action::kFrozenSet, unhashable.get()), nullptr);
  EXPECT_EQ(testing::take_error(), "TypeError");
}

// What an image gets of a set: not the order of its table, which depends on the process.
constexpr const char* kSets[] = {
    "frozenset({'one', 'two', 'three', 'four', 'five', 'six', 'seven'})",
    "frozenset({b'one', b'two', b'three', 'one', 1, 2.5, None, (1, 'x')})",
    "frozenset({frozenset({'a1', 'b1', 'c1'}), frozenset({'a2', 'b2', 'c2'}), frozenset()})",
    "frozenset({('t', frozenset({'x1', 'y1', 'z1'})), ('t', frozenset({'x2', 'y2'}))})",
    "frozenset({frozenset({frozenset({'p1', 'q1', 'r1'})}), frozenset({frozenset({'p2', 'q2'})})})",
};

// The order of the elements, told without the order inside of sets among them.
std::string order_of(const char* expression) {
  const Strong set = evaluate(expression);
  const Strong argument = action_argument(Action::kFrozenSet, set.get());
  const Strong names = PyDict_New();
  PyDict_SetItemString(names.get(), "__builtins__", PyEval_GetBuiltins());
  PyDict_SetItemString(names.get(), "argument", argument.get());
  const Strong function = PyRun_String(
      "(s := lambda o: 'set(' + ','.join(sorted(map(s, o))) + ')' if isinstance(o, frozenset) else"
      " 'tuple(' + ','.join(map(s, o)) + ')' if isinstance(o, tuple) else repr(o))(argument)",
      Py_eval_input, names.get(), names.get());
  if (!function) PyErr_Print();
  return PyUnicode_AsUTF8(function.get());
}

TEST(ActionArgument, HasTheSameOrderWhateverTheHashes) {
  // The children of death tests are this program started anew; each takes the seed it finds.
  constexpr const char* kExpected = "TENURE_TEST_EXPECTED_ORDER";
  std::string order;
  for (const char* expression : kSets) order += order_of(expression);
  if (std::getenv(kExpected) == nullptr) setenv(kExpected, order.c_str(), 1);
  for (const char* seed : {"0", "1", "2", "12345"}) {
    setenv(testing::kHashSeedVariable, seed, 1);
    EXPECT_EXIT(_exit(order == std::getenv(kExpected) ? 0 : 1), ::testing::ExitedWithCode(0), "")
        << "with seed " << seed;
  }
  unsetenv(testing::kHashSeedVariable);
  unsetenv(kExpected);
}

// Neither marshal nor repr() knows what to say of it.
constexpr const char* kUnspeakable =
    "frozenset({type('Unspeakable', (), {'__repr__': lambda self: 1 / 0})()})";

TEST(ActionArgument, PassesOnWhatCannotBeOrdered) {
  const Strong set = evaluate(kUnspeakable);
  EXPECT_EQ(action_argument(Action::kFrozenSet, set.get()), nullptr);
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Actions, LeakNothing) {
  testing::expect_no_leak([] {
    for (const char* expression : {"frozenset({1000, 'two', (3, 4)})", "slice(1000, 2000)"}) {
      const Strong object = rebuilt(expression);
    }
    const Strong set = evaluate(kUnspeakable);
    EXPECT_EQ(action_argument(Action::kFrozenSet, set.get()), nullptr);
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure::image
