#include "tenure/immortal/image/externals.h"

#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/immortal.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/varint.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::evaluate;

std::string op(PathOp code, uint64_t value) {
  std::string program(1, static_cast<char>(code));
  put_varint(program, value);
  return program;
}

std::string op(PathOp code, const std::string& text) { return op(code, text.size()) + text; }

PyObject* follow(const std::string& program, Problem& problem) {
  return follow_path(std::as_bytes(std::span(program)), "external 7", problem);
}

// What following answers: the object's repr(), or why not.
std::string result(const std::string& program) {
  Problem problem;
  PyObject* object = follow(program, problem);
  if (object != nullptr) return testing::repr(object);
  if (problem.python_error) return testing::take_error();
  EXPECT_EQ(problem.where, "external 7");
  return problem.what;
}

constexpr const char* kDamaged = "has a damaged path program; freeze the image again";
constexpr const char* kUnknown = "uses a path operation this Tenure does not know; use a newer one";
constexpr const char* kAbsent =
    "names an object that this interpreter does not have; freeze the image again with this one";

TEST(PathTo, LeadsBackForEverySingleton) {
  for (const char* expression :
       {"None", "True", "...", "str", "frozenset", "()", "''", "b''", "0", "-5", "256", "'a'",
        "'\\xff'", "b'a'", "b'\\xff'", "'__init__'", "'append'"}) {
    const Strong object = evaluate(expression);
    const auto singleton = abi::singleton_of(object.get());
    ASSERT_TRUE(singleton.has_value()) << expression;
    Problem problem;
    EXPECT_EQ(follow(path_to(*singleton, object.get()), problem), object.get()) << expression;
  }
}

TEST(PathTo, DependsOnTheValueAlone) {
  const Strong none = evaluate("None");
  const auto singleton = abi::singleton_of(none.get());
  EXPECT_EQ(path_to(*singleton, none.get()), op(PathOp::kWellKnown, 11));
  const Strong minus = evaluate("-5");
  EXPECT_EQ(path_to(*abi::singleton_of(minus.get()), minus.get()), op(PathOp::kSmallInt, 9));
  const Strong init = evaluate("'__init__'");
  EXPECT_EQ(path_to(*abi::singleton_of(init.get()), init.get()), op(PathOp::kInterned, "__init__"));
}

TEST(FollowPath, DoesEveryOperation) {
  EXPECT_EQ(result(op(PathOp::kWellKnown, 12)), "True");
  EXPECT_EQ(result(op(PathOp::kSmallInt, zigzag(-3))), "-3");
  EXPECT_EQ(result(op(PathOp::kLatin1, 0xe9)), "'\xc3\xa9'");
  EXPECT_EQ(result(op(PathOp::kByte, 0xe9)), "b'\\xe9'");
  EXPECT_EQ(result(op(PathOp::kInterned, "any text at all")), "'any text at all'");
  EXPECT_EQ(result(op(PathOp::kInterned, "")), "''");
  EXPECT_EQ(result(op(PathOp::kModule, "sys")), "<module 'sys' (built-in)>");
  EXPECT_EQ(result(op(PathOp::kModule, "builtins") + op(PathOp::kAttribute, "len")),
            "<built-in function len>");
  EXPECT_EQ(result(op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "modules") +
                   op(PathOp::kItem, "builtins")),
            "<module 'builtins' (built-in)>");
}

TEST(FollowPath, GivesImmortalInternedStrings) {
  Problem problem;
  PyObject* str = follow(op(PathOp::kInterned, "interned by a path"), problem);
  EXPECT_TRUE(abi::is_immortal(str));
  const Strong same = evaluate("sys.intern('interned ' + 'by a path')");
  EXPECT_EQ(same.get(), str);
}

TEST(FollowPath, StartsAnewWithEachObject) {
  EXPECT_EQ(result(op(PathOp::kModule, "sys") + op(PathOp::kWellKnown, 11)), "None");
  EXPECT_EQ(result(op(PathOp::kSmallInt, 2) + op(PathOp::kAttribute, "real")), "1");
}

TEST(FollowPath, SaysWhatThisInterpreterDoesNotHave) {
  EXPECT_EQ(result(op(PathOp::kWellKnown, 0)), kAbsent);
  EXPECT_EQ(result(op(PathOp::kWellKnown, 19)), kAbsent);
  EXPECT_EQ(result(op(PathOp::kSmallInt, zigzag(1'000'000))), kAbsent);
  EXPECT_EQ(result(op(PathOp::kSmallInt, ~uint64_t{0})), kAbsent);
  EXPECT_EQ(result(op(PathOp::kLatin1, 256)), kAbsent);
  EXPECT_EQ(result(op(PathOp::kByte, 256)), kAbsent);
  EXPECT_EQ(result(op(PathOp::kAttribute, "of nothing")), kAbsent);
  EXPECT_EQ(result(op(PathOp::kItem, "of nothing")), kAbsent);
}

TEST(FollowPath, SaysWhatAPathDoesNotLeadTo) {
  EXPECT_EQ(result(op(PathOp::kModule, "no_such_module")), kAbsent);
  EXPECT_EQ(result(op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "absent")), kAbsent);
  EXPECT_EQ(result(op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "modules") +
                   op(PathOp::kItem, "absent")),
            kAbsent);
  EXPECT_EQ(result(op(PathOp::kInterned, "\xff")), kAbsent);
}

TEST(FollowPath, LeavesWantOfMemoryToPython) {
  Problem problem;
  PyObject* object;
  {
    const testing::FailingMemory none(0);
    object = follow(op(PathOp::kInterned, "there is no memory for this"), problem);
  }
  EXPECT_EQ(object, nullptr);
  EXPECT_TRUE(problem.python_error);
  EXPECT_EQ(testing::take_error(), "MemoryError");
}

TEST(FollowPath, RefusesOperationsItDoesNotKnow) {
  for (int code : {0, 10, 100, 255}) {
    EXPECT_EQ(result(op(static_cast<PathOp>(code), 1)), kUnknown) << code;
  }
  EXPECT_EQ(result(op(PathOp::kModule, "sys") + "\x7f"), kUnknown);
}

TEST(FollowPath, RefusesProgramsCutOffAnywhere) {
  const std::string programs[] = {op(PathOp::kWellKnown, 12),
                                  op(PathOp::kSmallInt, 2),
                                  op(PathOp::kLatin1, 'a'),
                                  op(PathOp::kByte, 0xe9),
                                  op(PathOp::kInterned, "text"),
                                  op(PathOp::kModule, "sys"),
                                  op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "modules")};
  for (const std::string& program : programs) {
    for (size_t kept = 1; kept < program.size(); ++kept) {
      const std::string cut = program.substr(0, kept);
      // Cut between two operations, it is a shorter program.
      if (cut == op(PathOp::kModule, "sys")) continue;
      EXPECT_EQ(result(cut), kDamaged) << ::testing::PrintToString(cut);
    }
  }
}

TEST(FollowPath, RefusesAnEmptyProgram) {
  Problem problem;
  EXPECT_EQ(follow("", problem), nullptr);
  EXPECT_EQ(problem.where, "external 7");
}

TEST(FollowPath, RefusesNumbersAndTextsThatAreTooLong) {
  EXPECT_EQ(result(std::string(1, static_cast<char>(PathOp::kLatin1)) + std::string(12, '\xff')),
            kDamaged);
  EXPECT_EQ(result(op(PathOp::kInterned, ~uint64_t{0}) + "text"), kDamaged);
}

TEST(FollowPath, LeaksNothing) {
  testing::expect_no_leak([] {
    const std::string programs[] = {
        op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "modules") + op(PathOp::kItem, "sys"),
        op(PathOp::kModule, "sys") + op(PathOp::kAttribute, "absent"),
        op(PathOp::kModule, "sys") + "\x7f",
        op(PathOp::kModule, "sys") + op(PathOp::kWellKnown, 11),
        op(PathOp::kModule, "sys") + "\x07"};
    for (const std::string& program : programs) result(program);
  });
}

}  // namespace
}  // namespace tenure::image
