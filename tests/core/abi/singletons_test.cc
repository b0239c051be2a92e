#include "tenure/core/abi/singletons.h"

#include <cstdint>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/immortal.h"
#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using Kind = Singleton::Kind;
using testing::evaluate;

void expect_round_trip(PyObject* object, Kind kind, int64_t value, const std::string& what) {
  const auto found = singleton_of(object);
  ASSERT_TRUE(found.has_value()) << what;
  EXPECT_EQ(found->kind, kind) << what;
  if (kind == Kind::kStatic) return;
  EXPECT_EQ(found->value, value) << what;
  EXPECT_EQ(resolve(*found), object) << what;
}

TEST(WellKnown, IsEachTheObjectOfItsName) {
  const char* const names[] = {"str",
                               "bytes",
                               "int",
                               "float",
                               "complex",
                               "tuple",
                               "type((lambda: 0).__code__)",
                               "bool",
                               "frozenset",
                               "slice",
                               "None",
                               "True",
                               "False",
                               "...",
                               "NotImplemented",
                               "()",
                               "b''",
                               "''"};
  static_assert(std::size(names) + 1 == kWellKnownEnd);
  for (uint32_t i = 1; i < kWellKnownEnd; ++i) {
    const Strong expected = evaluate(names[i - 1]);
    EXPECT_EQ(well_known(static_cast<WellKnown>(i)), expected.get()) << names[i - 1];
    EXPECT_TRUE(is_immortal(expected.get())) << names[i - 1];
    expect_round_trip(expected.get(), Kind::kWellKnown, i, names[i - 1]);
  }
}

TEST(WellKnown, IsNothingForOtherNumbers) {
  for (uint32_t number : {0u, kWellKnownEnd, kWellKnownEnd + 1, 1000u, ~0u}) {
    EXPECT_EQ(well_known(static_cast<WellKnown>(number)), nullptr) << number;
  }
  for (int64_t number :
       {int64_t{0}, int64_t{-1}, int64_t{kWellKnownEnd}, std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max(), (int64_t{1} << 32) + 11}) {
    EXPECT_EQ(resolve({Kind::kWellKnown, number}), nullptr) << number;
  }
}

// How far the interpreter's small ints reach is its own affair; that it is a range without holes,
// and that nothing outside counts as one, is ours.
TEST(SmallInts, RoundTripAtBothEndsAndNotBeyond) {
  int64_t lowest = 0;
  while (resolve({Kind::kSmallInt, lowest - 1}) != nullptr) --lowest;
  int64_t highest = 0;
  while (resolve({Kind::kSmallInt, highest + 1}) != nullptr) ++highest;
  EXPECT_LE(lowest, -5);
  EXPECT_GE(highest, 256);
  for (int64_t value :
       {lowest, lowest + 1, int64_t{-1}, int64_t{0}, int64_t{1}, highest - 1, highest}) {
    const Strong number = PyLong_FromLongLong(value);
    expect_round_trip(number.get(), Kind::kSmallInt, value, std::to_string(value));
  }
  for (int64_t value : {lowest - 1, highest + 1, int64_t{1} << 40,
                        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    const Strong number = PyLong_FromLongLong(value);
    EXPECT_FALSE(singleton_of(number.get())) << value;
    EXPECT_EQ(resolve({Kind::kSmallInt, value}), nullptr) << value;
  }
}

TEST(SmallInts, LeaveNoErrorForNumbersThatFitNoWord) {
  for (const char* expression : {"2 ** 63", "-(2 ** 63) - 1", "10 ** 100"}) {
    const Strong number = evaluate(expression);
    EXPECT_FALSE(singleton_of(number.get())) << expression;
    EXPECT_EQ(PyErr_Occurred(), nullptr);
  }
}

TEST(SmallInts, AreNotTheirCopies) {
  EXPECT_FALSE(singleton_of(testing::freeze_value("7")));
  EXPECT_FALSE(singleton_of(testing::freeze_value("-5")));
}

TEST(SmallInts, AreNotBools) {
  expect_round_trip(Py_True, Kind::kWellKnown, static_cast<int64_t>(WellKnown::kTrue), "True");
  expect_round_trip(Py_False, Kind::kWellKnown, static_cast<int64_t>(WellKnown::kFalse), "False");
}

TEST(OneCharacter, RoundTripsForLatin1) {
  for (int character = 0; character < 256; ++character) {
    const Strong str = PyUnicode_FromOrdinal(character);
    expect_round_trip(str.get(), Kind::kLatin1, character, std::to_string(character));
  }
  for (int64_t character : {int64_t{256}, int64_t{-1}, int64_t{0x20ac}, int64_t{1} << 40}) {
    EXPECT_EQ(resolve({Kind::kLatin1, character}), nullptr) << character;
  }
  const Strong euro = evaluate("'\\u20ac'");
  EXPECT_FALSE(singleton_of(euro.get()));
  EXPECT_FALSE(singleton_of(testing::freeze_value("'a'")));
}

TEST(OneByte, RoundTrips) {
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    const Strong bytes = PyBytes_FromStringAndSize(&character, 1);
    expect_round_trip(bytes.get(), Kind::kByte, byte, std::to_string(byte));
  }
  for (int64_t byte : {int64_t{256}, int64_t{-1}, int64_t{1} << 40}) {
    EXPECT_EQ(resolve({Kind::kByte, byte}), nullptr) << byte;
  }
  EXPECT_FALSE(singleton_of(testing::freeze_value("b'a'")));
}

TEST(StaticStrings, AreThoseInTheBinary) {
  // Attribute names that the interpreter itself uses.
  for (const char* name : {"__init__", "__name__", "__class__", "append"}) {
    Strong str = PyUnicode_InternFromString(name);
    ASSERT_TRUE(is_in_binary(str.get())) << name;
    expect_round_trip(str.get(), Kind::kStatic, 0, name);
  }
  EXPECT_EQ(resolve({Kind::kStatic, 0}), nullptr);
}

TEST(StaticStrings, AreNotThoseMadeLater) {
  const Strong interned = evaluate("sys.intern('made by the tests of singletons')");
  EXPECT_FALSE(singleton_of(interned.get()));
  EXPECT_FALSE(is_in_binary(interned.get()));
  // Equal to a static one, and not it.
  EXPECT_FALSE(singleton_of(testing::freeze_value("'__init__'")));
}

TEST(Others, AreNoSingletons) {
  for (const char* expression : {"1.5", "2j", "'no such name'", "b'bytes'", "(1,)", "[]",
                                 "frozenset()", "object()", "dict", "type('I', (int,), {})(1)",
                                 "type('S', (str,), {})('a')", "type('B', (bytes,), {})(b'a')"}) {
    const Strong object = evaluate(expression);
    EXPECT_FALSE(singleton_of(object.get())) << expression;
  }
}

TEST(Others, UnknownKindsResolveToNothing) {
  EXPECT_EQ(resolve({static_cast<Kind>(200), 1}), nullptr);
}

TEST(Binary, HoldsStaticObjectsAndNoOthers) {
  EXPECT_TRUE(is_in_binary(Py_None));
  EXPECT_TRUE(is_in_binary(&PyTuple_Type));
  const Strong list = PyList_New(0);
  EXPECT_FALSE(is_in_binary(list.get()));
  EXPECT_FALSE(is_in_binary(nullptr));
}

TEST(Singletons, LeakNothing) {
  const Strong list =
      evaluate("[0, 300, 10 ** 30, 'a', 'text', b'a', b'bytes', None, (), '', b'']");
  testing::expect_no_leak([&list] {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
      singleton_of(PyList_GET_ITEM(list.get(), i));
    }
    for (int64_t value : {-10, 0, 5, 300}) {
      resolve({Kind::kSmallInt, value});
      resolve({Kind::kLatin1, value});
      resolve({Kind::kByte, value});
      resolve({Kind::kWellKnown, value});
    }
  });
}

}  // namespace
}  // namespace tenure::abi
