#include "tenure/handles/mapping.h"

#include <gtest/gtest.h>

#include "tenure/handles/str.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::value_of;

constexpr const char* kSample =
    "class Sample:\n"
    "  def __init__(self): self.inside = {}\n"
    "  def __getitem__(self, key):\n"
    "    if key == 'bad': raise ZeroDivisionError\n"
    "    return self.inside[key]\n"
    "  def __setitem__(self, key, value): self.inside[key] = value\n"
    "  def __delitem__(self, key): del self.inside[key]\n"
    "  def __len__(self): return len(self.inside)\n"
    "  def keys(self): return iter(self.inside)\n"
    "  def values(self): return (value for value in self.inside.values())\n"
    "  def items(self): return self.inside.items()\n"
    "sample = Sample()\n";

Owned<Str> str(const char* text) { return Str::make(text).take(); }

TEST(Mapping, IsAnyObjectWithItems) {
  const Owned<Mapping> mapping = testing::defined_in<Mapping>(kSample, "sample");
  ASSERT_TRUE(mapping.set(str("a"), str("b")));
  EXPECT_EQ(*mapping.len(), 1);
  EXPECT_EQ(testing::repr(mapping.get(str("a")).take()), "'b'");
  EXPECT_EQ(testing::repr(mapping.get("a").take()), "'b'");
  EXPECT_TRUE(*mapping.has(str("a")));
  EXPECT_FALSE(*mapping.has(str("x")));
  EXPECT_EQ(testing::repr(mapping.keys().take()), "['a']");
  EXPECT_EQ(testing::repr(mapping.values().take()), "['b']");
  EXPECT_EQ(testing::repr(mapping.items().take()), "[('a', 'b')]");
  ASSERT_TRUE(mapping.del(str("a")));
  EXPECT_FALSE(mapping.del(str("a")));
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST(Mapping, TellsAbsentKeysFromErrors) {
  const Owned<Mapping> mapping = testing::defined_in<Mapping>(kSample, "sample");
  const Lookup<> nothing = mapping.get("x");
  EXPECT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing);
  EXPECT_FALSE(mapping.get("bad").ok());
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  EXPECT_FALSE(mapping.has(str("bad")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Mapping, AsksOverrides) {
  const Owned<Mapping> mapping =
      value_of<Mapping>("type('Full', (dict,), {'__missing__': lambda self, key: key * 2})()");
  EXPECT_EQ(testing::repr(mapping.get("ab").take()), "'abab'");
}

}  // namespace
}  // namespace tenure
