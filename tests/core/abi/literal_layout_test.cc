#include "tenure/core/abi/literal_layout.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;

// All bytes of a head but the type.
std::vector<unsigned char> count_of(const PyObject* object) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(object);
  return {bytes, bytes + offsetof(PyObject, ob_type)};
}

TEST(LiteralLayout, HeadsAreThoseOfTheInterpretersStaticObjects) {
  static constinit AsciiLiteral<3> ascii;
  static constinit CompactLiteral<Py_UCS2, 3> compact("", 0);
  static constinit BytesLiteral<3> bytes;
  static constexpr IntLiteral<2> number(1);
  static constexpr FloatLiteral real(1.5);
  static constexpr ComplexLiteral complex(1, 2);
  static constinit TupleLiteral<1> tuple(Py_None);
  for (const PyObject* object :
       {ascii.object(), compact.object(), bytes.object(), tuple.object()}) {
    EXPECT_EQ(count_of(object), count_of(Py_None))
        << Py_TYPE(const_cast<PyObject*>(object))->tp_name;
  }
  for (const PyObject* object : {number.object(), real.object(), complex.object()}) {
    EXPECT_EQ(count_of(object), count_of(Py_None))
        << Py_TYPE(const_cast<PyObject*>(object))->tp_name;
  }
  EXPECT_EQ(literal_bool(true), Py_True);
  EXPECT_EQ(literal_bool(false), Py_False);
}

TEST(LiteralLayout, SmallIntsEndWhereTheInterpretersDo) {
  const auto is_one = [](int64_t value) {
    const Strong one = PyLong_FromLongLong(value);
    const Strong other = PyLong_FromLongLong(value);
    return one.get() == other.get();
  };
  EXPECT_FALSE(is_one(kSmallestSmallInt - 1));
  EXPECT_TRUE(is_one(kSmallestSmallInt));
  EXPECT_TRUE(is_one(kLargestSmallInt));
  EXPECT_FALSE(is_one(kLargestSmallInt + 1));
}

TEST(LiteralLayout, ATupleIsPrecededByWhatTheCollectorWantsThere) {
  const Strong bytes = evaluate("sys.getsizeof((1, 2)) - (1, 2).__sizeof__()");
  EXPECT_EQ(static_cast<long>(offsetof(TupleLiteral<2>, first)), PyLong_AsLong(bytes.get()));
}

TEST(LiteralLayout, ATupleIsWrittenToOrNot) {
  const Strong tuple = evaluate("tuple([1.5, 'x'])");
  const auto image = [&] {
    const auto* bytes = reinterpret_cast<const unsigned char*>(tuple.get());
    return std::vector<unsigned char>(bytes, bytes + sizeof(PyTupleObject));
  };
  const auto before = image();
  EXPECT_NE(PyObject_Hash(tuple.get()), -1);
  EXPECT_EQ(before != image(), kTupleIsWritten);
}

TEST(LiteralLayout, ItemsAreWhereTheyAreLookedFor) {
  static constinit TupleLiteral<3> tuple(Py_None, literal_bool(true), Py_Ellipsis);
  PyObject* const object = tuple.object();
  ASSERT_EQ(PyTuple_GET_SIZE(object), 3);
  EXPECT_EQ(PyTuple_GetItem(object, 0), Py_None);
  EXPECT_EQ(PyTuple_GetItem(object, 1), Py_True);
  EXPECT_EQ(PyTuple_GetItem(object, 2), Py_Ellipsis);
}

}  // namespace
}  // namespace tenure::abi
