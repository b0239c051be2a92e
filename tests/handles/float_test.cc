#include "tenure/handles/float.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tenure/handles/complex.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

TEST(Float, GoesThereAndBack) {
  for (const double value : {0.0, -1.0, 0.1, std::numeric_limits<double>::max()}) {
    const Result<Float> made = Float::make(value);
    ASSERT_TRUE(made);
    EXPECT_EQ((*made).value(), value);
    EXPECT_EQ(*Float::from(*made), value);
  }
  EXPECT_TRUE(std::isnan(Float::make(NAN).take().value()));
}

TEST(Float, TakesWhatCountsAsANumber) {
  EXPECT_EQ(*Float::from(value_of("3")), 3.0);
  EXPECT_EQ(*Float::from(value_of("-1")), -1.0) << "which the C API also answers on errors";
  EXPECT_EQ(*Float::from(value_of("True")), 1.0);
  EXPECT_EQ(*Float::from(value_of("type('', (), {'__float__': lambda self: 2.5})()")), 2.5);
  EXPECT_EQ(*Float::from(value_of("type('', (), {'__index__': lambda self: 2})()")), 2.0);
  EXPECT_EQ(*Float::from(value_of("type('', (float,), {})(1.5)")), 1.5);
}

TEST(Float, RefusesTheRestAsPythonDoes) {
  EXPECT_FALSE(Float::from(value_of("'1.5'")));
  EXPECT_EQ(take_message(), "TypeError: must be real number, not str");
  EXPECT_FALSE(Float::from(value_of("10 ** 400")));
  EXPECT_EQ(take_message(), "OverflowError: int too large to convert to float");
  EXPECT_FALSE(Float::from(value_of("type('', (), {'__float__': lambda self: 1 / 0})()")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Complex, GoesThereAndBack) {
  const Result<Complex> made = Complex::make({1.5, -2.0});
  ASSERT_TRUE(made);
  EXPECT_EQ((*made).value(), std::complex<double>(1.5, -2.0));
  EXPECT_EQ(testing::repr(*made), "(1.5-2j)");
}

TEST(Complex, TakesWhatCountsAsANumber) {
  EXPECT_EQ(*Complex::from(value_of("3")), std::complex<double>(3.0));
  EXPECT_EQ(*Complex::from(value_of("-1.0")), std::complex<double>(-1.0));
  EXPECT_EQ(*Complex::from(value_of("2j")), std::complex<double>(0.0, 2.0));
  EXPECT_FALSE(Complex::from(value_of("'1'")));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Float, LeaksNothing) {
  testing::expect_no_leak([] {
    const Result<Float> made = Float::make(1.5);
    EXPECT_TRUE(Float::from(*made));
    EXPECT_TRUE(Complex::from(*made));
    EXPECT_FALSE(Float::from(value_of("None")));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
