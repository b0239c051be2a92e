#include "tenure/handles/type.h"

#include <gtest/gtest.h>

#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

Owned<Type> inner() {
  return testing::defined_in<Type>(
      "__name__ = 'place'\nclass Outer:\n  class Inner(int): pass\nInner = Outer.Inner\n", "Inner");
}

TEST(Type, HasNames) {
  const Owned<Type> type = inner();
  EXPECT_TRUE(type.name().take().equals("Inner"));
  EXPECT_TRUE(type.qualified_name().take().equals("Outer.Inner"));
  EXPECT_TRUE(type.full_name().take().equals("place.Outer.Inner"));
  EXPECT_TRUE(Type::of(&PyLong_Type).full_name().take().equals("int"));
}

TEST(Type, KnowsWhatItIsDerivedFrom) {
  const Owned<Type> type = inner();
  EXPECT_TRUE(type.is_subtype_of(Type::of(&PyLong_Type)));
  EXPECT_TRUE(type.is_subtype_of(type));
  EXPECT_FALSE(Type::of(&PyLong_Type).is_subtype_of(type));
}

TEST(Type, BelongsToObjects) {
  const Owned<> number = inner().call(value_of("5")).take();
  EXPECT_TRUE(number.type().name().take().equals("Inner"));
  EXPECT_TRUE(Type::of(&PyLong_Type).is_type_of(number));
  EXPECT_FALSE(Type::of(&PyUnicode_Type).is_type_of(number));
  EXPECT_EQ(value_of("1").type().get_type(), &PyLong_Type);
}

TEST(Type, SeesThroughWhatPretends) {
  const Owned<> pretender =
      value_of("type('Pretender', (), {'__class__': property(lambda self: int)})()");
  EXPECT_TRUE(pretender.type().name().take().equals("Pretender"));
  EXPECT_FALSE(Type::of(&PyLong_Type).is_type_of(pretender));
  EXPECT_TRUE(*pretender.isinstance(Type::of(&PyLong_Type))) << "which isinstance() does not";
}

}  // namespace
}  // namespace tenure
