// Literals as long as a compiler takes by default; docs/literals.md says how long that is.

#include <string>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/immortal/literal.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using literal::object;
using testing::equal;
using testing::evaluate;

#define TEN(x) x x x x x x x x x x
#define THOUSAND(x) TEN(TEN(TEN(x)))

void expect_equal(PyObject* x, const std::string& y) {
  EXPECT_TRUE(equal(x, evaluate(y).get())) << y;
}

TEST(LongLiterals, Strs) {
  expect_equal(object<literal::str(THOUSAND(TEN("abcde67890")))>(), "'abcde67890' * 10_000");
  expect_equal(object<literal::str(THOUSAND("\u00e9\u00e8"))>(), "'\\xe9\\xe8' * 1_000");
  expect_equal(object<literal::str(THOUSAND("a\u20ac"))>(), "'a\\u20ac' * 1_000");
  expect_equal(object<literal::str(THOUSAND("\U0001f40d\0z"))>(), "'\\U0001f40d\\0z' * 1_000");
}

TEST(LongLiterals, Bytes) {
  expect_equal(object<literal::bytes(THOUSAND("\0\xff\x7f"))>(), "b'\\0\\xff\\x7f' * 1_000");
}

// Longer than what int() reads of a str.
TEST(LongLiterals, Ints) {
  // 123...1230123... of 5,000 digits is 1234567890 times 1 + 10**10 + 10**20 ...
  expect_equal(
      object<literal::integer(TEN(TEN("12345678901234567890123456789012345678901234567890")))>(),
      "1234567890 * ((10**5000 - 1) // (10**10 - 1))");
  expect_equal(object<literal::integer("-" THOUSAND("12345"))>(),
               "-12345 * ((10**5000 - 1) // (10**5 - 1))");
  expect_equal(object<literal::integer("0x" THOUSAND("12345678"))>(),
               "0x12345678 * ((2**32000 - 1) // (2**32 - 1))");
  expect_equal(object<literal::integer("1" THOUSAND("00000"))>(), "10**5000");
  expect_equal(object<literal::integer("0b1" THOUSAND("0_0"))>(), "2**2000");
}

TEST(LongLiterals, TuplesInTuples) {
  using literal::tuple;
  constexpr auto kFour = tuple<tuple<tuple<tuple<70'000>>>>;
  constexpr auto kSixteen = tuple<tuple<tuple<tuple<tuple<kFour, kFour>, kFour>>>, kFour>;
  const std::string four = "((((70000,),),),)";
  expect_equal(object<kSixteen>(),
               "(((((" + four + "," + four + ")," + four + "),),)," + four + ")");
}

}  // namespace
}  // namespace tenure
