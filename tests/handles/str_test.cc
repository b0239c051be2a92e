#include "tenure/handles/str.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tenure/handles/list.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

Owned<Str> str(std::string_view text) { return Str::make(text).take(); }

TEST(Str, GoesThereAndBack) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("abc"), std::string_view("a\0b", 3),
        std::string_view("gr\xc3\xbc\xc3\x9f"), std::string_view("\xf0\x9f\x90\x8d")}) {
    const Owned<Str> made = str(text);
    const Result<std::string_view> back = made.utf8();
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, text);
    EXPECT_TRUE(made.equals(text));
    EXPECT_FALSE(made.equals("something else"));
  }
}

TEST(Str, CountsCodePoints) {
  EXPECT_EQ(str("\xf0\x9f\x90\x8d!").size(), 2);
  EXPECT_TRUE(str("").empty());
  EXPECT_TRUE(str("abc").is_ascii());
  EXPECT_FALSE(str("\xc3\xbc").is_ascii());
}

TEST(Str, RefusesWhatIsNotUtf8) {
  EXPECT_FALSE(Str::make("\xff"));
  EXPECT_EQ(testing::take_error(), "UnicodeDecodeError");
  const Owned<Str> surrogate = value_of<Str>("'\\ud800'");
  EXPECT_FALSE(surrogate.utf8());
  EXPECT_EQ(testing::take_error(), "UnicodeEncodeError");
}

TEST(Str, AnswersTheSameUtf8EachTime) {
  const Owned<Str> text = value_of<Str>("'gr' + chr(252) + 'n'");
  EXPECT_EQ((*text.utf8()).data(), (*text.utf8()).data());
}

TEST(Str, FailsWithoutMemoryForTheUtf8) {
  const Owned<Str> text = value_of<Str>("chr(252) * 1000");
  bool there;
  {
    const testing::FailingMemory none(0);
    there = static_cast<bool>(text.utf8());
  }
  EXPECT_FALSE(there);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_TRUE(text.utf8()) << "and works again with it";
}

TEST(Str, ReadsSubclasses) {
  const Owned<Str> text = testing::defined_in<Str>(
      "class Text(str):\n"
      "  def __str__(self): return 'another'\n"
      "  def __eq__(self, other): return False\n"
      "  def __len__(self): return 7\n"
      "  __hash__ = str.__hash__\n"
      "text = Text('abc')\n",
      "text");
  EXPECT_EQ(*text.utf8(), "abc");
  EXPECT_EQ(text.size(), 3);
  EXPECT_TRUE(text.equals("abc"));
  EXPECT_TRUE(text.equals(str("abc")));
}

TEST(Str, Compares) {
  EXPECT_TRUE(str("abc").equals(value_of<Str>("'ab' + chr(99)")));
  EXPECT_FALSE(str("abc").equals(str("abd")));
  EXPECT_FALSE(str("abc").equals(str("ab")));
  EXPECT_LT(str("abc").compare_to(str("abd")), 0);
  EXPECT_GT(str("b").compare_to(str("abc")), 0);
  EXPECT_EQ(str("b").compare_to(str("b")), 0);
}

TEST(Str, LooksAtItsEnds) {
  EXPECT_TRUE(str("abc").starts_with(str("ab")));
  EXPECT_FALSE(str("abc").starts_with(str("bc")));
  EXPECT_TRUE(str("abc").ends_with(str("bc")));
  EXPECT_FALSE(str("abc").ends_with(str("ab")));
  EXPECT_TRUE(*str("abc").contains(str("b")));
}

TEST(Str, IsPutTogether) {
  EXPECT_TRUE(str("ab").concat(str("c")).take().equals("abc"));
  EXPECT_TRUE(str(", ").join(value_of("['a', 'b']")).take().equals("a, b"));
  EXPECT_FALSE(str(", ").join(value_of("['a', 1]")));
  EXPECT_EQ(take_message(), "TypeError: sequence item 1: expected str instance, int found");
  EXPECT_TRUE(str("abcdef").substring(1, 3).take().equals("bc"));
  EXPECT_TRUE(str("abc").substring(2, 100).take().equals("c"));
  EXPECT_FALSE(str("abc").substring(-1, 2));
  EXPECT_EQ(testing::take_error(), "IndexError");
}

TEST(Str, Formats) {
  EXPECT_TRUE(Str::format("{} of {:03}", str("a"), value_of("7")).take().equals("a of 007"));
  EXPECT_TRUE(Str::format("{0} {last}", value_of("1"), kw(str("last"), value_of("2")))
                  .take()
                  .equals("1 2"));
  EXPECT_FALSE(Str::format("{} {}", str("a")));
  EXPECT_EQ(testing::take_error(), "IndexError");
}

TEST(Str, IsSharedWhenInterned) {
  const Result<Str> one = Str::interned("interned by a test");
  const Result<Str> two = Str::interned("interned by a test");
  EXPECT_EQ(one.get(), two.get());
}

TEST(Str, IsWhatObjectsSay) {
  EXPECT_TRUE(value_of("'a'").repr().take().equals("'a'"));
  EXPECT_TRUE(value_of("1.5").str().take().equals("1.5"));
  EXPECT_TRUE(value_of("chr(252)").ascii().take().equals("'\\xfc'"));
  EXPECT_TRUE(value_of("3").format(str("04")).take().equals("0003"));
  EXPECT_FALSE(
      value_of("type('', (), {'__repr__': lambda self: 1, '__module__': 'sample'})()").repr());
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Str, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<Str> text = str("text");
    EXPECT_TRUE(Str::format("{} {}", text, text));
    EXPECT_TRUE(text.concat(text));
    EXPECT_TRUE(text.repr());
    EXPECT_TRUE(text.equals(text));
    EXPECT_FALSE(Str::format("{} {}", text));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
