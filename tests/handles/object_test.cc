#include "tenure/handles/object.h"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/handles/handles.h"
#include "tenure/tests/handles/support.h"

namespace tenure {
namespace {

using testing::take_message;
using testing::value_of;

static_assert(sizeof(Borrowed<Str>) == sizeof(PyObject*));
static_assert(!std::is_copy_constructible_v<Object>, "a view is no handle");
static_assert(!std::is_constructible_v<Object, PyObject*>);
static_assert(!std::is_constructible_v<Str, Borrowed<Str>>);
static_assert(std::is_convertible_v<Borrowed<Str>, Borrowed<>>);
static_assert(!std::is_convertible_v<Borrowed<>, Borrowed<Str>>, "only as() goes down");

Owned<Str> str(const char* text) { return Str::make(text).take(); }

Owned<> sample() {
  return value_of("type('Sample', (), {'x': 1, 'add': lambda self, *a, **k: (a, k)})()");
}

TEST(Object, AnswersAttributes) {
  const Owned<> object = sample();
  EXPECT_EQ(testing::repr(object.getattr(str("x")).take()), "1");
  EXPECT_EQ(testing::repr(object.getattr("x").take()), "1");
  EXPECT_FALSE(object.getattr("y"));
  EXPECT_EQ(take_message(), "AttributeError: 'Sample' object has no attribute 'y'");
  EXPECT_TRUE(*object.hasattr("x"));
  EXPECT_FALSE(*object.hasattr(str("y")));
  ASSERT_TRUE(object.setattr("y", str("new")));
  ASSERT_TRUE(object.setattr(str("z"), str("newer")));
  EXPECT_EQ(testing::repr(object.getattr("y").take()), "'new'");
  ASSERT_TRUE(object.delattr("y"));
  ASSERT_TRUE(object.delattr(str("z")));
  EXPECT_FALSE(object.delattr("y"));
  EXPECT_EQ(testing::take_error(), "AttributeError");
}

TEST(Object, TellsAbsentAttributesFromErrors) {
  const Owned<> object = value_of(
      "type('', (), {'x': 1, 'bad': property(lambda self: 1 / 0), "
      "'absent': property(lambda self: self.nowhere)})()");
  EXPECT_EQ(testing::repr(object.getattr_optional("x").take()), "1");
  for (const char* name : {"y", "absent"}) {
    const Lookup<> nothing = object.getattr_optional(str(name));
    EXPECT_TRUE(nothing.ok());
    EXPECT_FALSE(nothing);
    EXPECT_FALSE(*object.hasattr(name));
  }
  EXPECT_FALSE(object.getattr_optional("bad").ok());
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  EXPECT_FALSE(object.hasattr("bad"));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Object, AnswersItems) {
  const Owned<> dict = value_of("{}");
  ASSERT_TRUE(dict.set_item(str("a"), str("b")));
  EXPECT_EQ(testing::repr(dict.get_item(str("a")).take()), "'b'");
  EXPECT_TRUE(*dict.contains(str("a")));
  ASSERT_TRUE(dict.del_item(str("a")));
  EXPECT_FALSE(dict.get_item(str("a")));
  EXPECT_EQ(take_message(), "KeyError: 'a'");
  EXPECT_FALSE(value_of("1").get_item(str("a")));
  EXPECT_EQ(take_message(), "TypeError: 'int' object is not subscriptable");
}

TEST(Object, IsCalled) {
  const Owned<> function = value_of("lambda *args, **kwargs: (args, kwargs)");
  const Owned<> one = value_of("1");
  const Borrowed<> none(Py_None);
  EXPECT_EQ(testing::repr(function.call().take()), "((), {})");
  EXPECT_EQ(testing::repr(function.call(one).take()), "((1,), {})");
  EXPECT_EQ(testing::repr(function.call(one, str("a"), none).take()), "((1, 'a', None), {})");
  EXPECT_EQ(testing::repr(function.call(kw(str("x"), one)).take()), "((), {'x': 1})");
  EXPECT_EQ(testing::repr(function.call(one, none, kw(str("x"), one), kw(str("y"), none)).take()),
            "((1, None), {'x': 1, 'y': None})");
  EXPECT_TRUE(function.is_callable());
  EXPECT_FALSE(one.is_callable());
  EXPECT_FALSE(one.call());
  EXPECT_EQ(take_message(), "TypeError: 'int' object is not callable");
}

// A bound method puts its self in the place before the arguments, and has to put back what was.
TEST(Object, LendsThePlaceBeforeTheArguments) {
  const Owned<> object = sample();
  const Owned<> method = object.getattr("add").take();
  EXPECT_TRUE(PyMethod_Check(method.get()));
  const Owned<> one = value_of("1");
  EXPECT_EQ(testing::repr(method.call(one, kw(str("k"), one)).take()), "((1,), {'k': 1})");
}

TEST(Object, CallsMethods) {
  const Owned<> object = sample();
  const Owned<> one = value_of("1");
  EXPECT_EQ(testing::repr(object.call_method(str("add")).take()), "((), {})");
  EXPECT_EQ(testing::repr(object.call_method(str("add"), one, one).take()), "((1, 1), {})");
  EXPECT_EQ(testing::repr(object.call_method(str("add"), one, kw(str("k"), one)).take()),
            "((1,), {'k': 1})");
  ASSERT_TRUE(object.setattr("own", value_of("lambda *args: args")));
  EXPECT_EQ(testing::repr(object.call_method(str("own"), one).take()), "(1,)")
      << "no method, but what the object has of that name";
  EXPECT_FALSE(object.call_method(str("absent"), one));
  EXPECT_EQ(testing::take_error(), "AttributeError");
}

TEST(Object, CallsWithoutMemoryForTheNames) {
  const Owned<> function = value_of("dict");
  const Owned<Str> name = str("x");
  for (long n = 0; n < 3; ++n) {
    bool worked;
    {
      const testing::FailingMemory failing(n);
      worked = static_cast<bool>(function.call(kw(name, name)));
    }
    if (!worked) {
      EXPECT_EQ(testing::take_error(), "MemoryError");
    }
  }
}

TEST(Object, Compares) {
  const Owned<> one = value_of("1");
  const Owned<> two = value_of("2.0");
  EXPECT_TRUE(*one.lt(two) && *one.le(two) && *one.ne(two));
  EXPECT_FALSE(*one.gt(two) || *one.ge(two) || *one.eq(two));
  EXPECT_EQ(one.compare(two, Py_LT).take().get(), Py_True);
  EXPECT_FALSE(one.lt(str("a")));
  EXPECT_EQ(take_message(), "TypeError: '<' not supported between instances of 'int' and 'str'");
  const Owned<> nan = value_of("float('nan')");
  EXPECT_TRUE(*nan.eq(nan)) << "as in a list";
  EXPECT_EQ(nan.compare(nan, Py_EQ).take().get(), Py_False) << "as the operator says";
}

TEST(Object, PassesErrorsOfComparisonsOn) {
  const Owned<> hostile = value_of(
      "type('', (), {'__eq__': lambda self, other: 1 / 0, '__bool__': lambda self: 2, "
      "'__hash__': lambda self: 'x', '__len__': lambda self: -1, '__module__': 'sample'})()");
  EXPECT_FALSE(hostile.eq(value_of("1")));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  EXPECT_FALSE(hostile.truth());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(hostile.hash());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(hostile.len());
  EXPECT_EQ(testing::take_error(), "ValueError");
}

TEST(Object, AnswersBuiltInFunctions) {
  EXPECT_TRUE(*value_of("[0]").truth());
  EXPECT_FALSE(*value_of("[]").truth());
  EXPECT_EQ(*value_of("'abc'").len(), 3);
  EXPECT_FALSE(value_of("1").len());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_EQ(*value_of("7").hash(), 7);
  EXPECT_FALSE(value_of("[]").hash());
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Object, KnowsWhatItIs) {
  const Owned<> text = str("text");
  EXPECT_TRUE(text.is_a<Str>());
  EXPECT_FALSE(text.is_a<Int>());
  EXPECT_TRUE(*text.isinstance(Type::of(&PyUnicode_Type)));
  EXPECT_FALSE(*text.isinstance(Type::of(&PyLong_Type)));
  EXPECT_TRUE(*value_of("bool").issubclass(Type::of(&PyLong_Type)));
  EXPECT_FALSE(text.isinstance(text));
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_FALSE(text.issubclass(text));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(Object, IsSeenAsWhatItIs) {
  const Owned<> text = str("text");
  const Result<Borrowed<Str>> seen = text.as<Str>();
  ASSERT_TRUE(seen);
  EXPECT_TRUE((*seen).is(text));
  EXPECT_EQ(Py_REFCNT(text.get()), 1);
  EXPECT_FALSE(text.as<Int>());
  EXPECT_EQ(take_message(), "TypeError: must be int, not str");
  EXPECT_FALSE(Borrowed<>(Py_None).as<Str>());
  EXPECT_EQ(take_message(), "TypeError: must be str, not None");
  EXPECT_FALSE(sample().getattr("add").take().as<Dict>());
  EXPECT_EQ(take_message(), "TypeError: must be dict, not method");
  EXPECT_FALSE(value_of("type('Homeless', (), {})()").as<Str>());
  EXPECT_EQ(take_message(), "TypeError: must be str, not Homeless") << "of a type without a module";
  EXPECT_TRUE(text.try_as<Str>());
  EXPECT_FALSE(text.try_as<Int>());
  EXPECT_FALSE(PyErr_Occurred());
}

TEST(Object, GivesItsReferenceToWhatItIsSeenAs) {
  Owned<> list = value_of("[]");
  PyObject* const before = list.get();
  const Owned<List> same = std::move(list).as<List>().take();
  EXPECT_EQ(same.get(), before);
  EXPECT_EQ(Py_REFCNT(before), 1);
  const std::optional<Owned<Str>> no = value_of("[]").try_as<Str>();
  EXPECT_FALSE(no);
  const std::optional<Owned<List>> yes = value_of("[]").try_as<List>();
  ASSERT_TRUE(yes);
  EXPECT_TRUE(yes->empty());
}

TEST(Object, LeaksNothing) {
  const Owned<> object = sample();
  testing::expect_no_leak([&] {
    const Owned<> one = value_of("[]");
    EXPECT_TRUE(object.call_method(str("add"), one, kw(str("k"), one)));
    EXPECT_TRUE(object.getattr("add").take().call(one));
    EXPECT_TRUE(object.getattr_optional("x"));
    EXPECT_TRUE(object.setattr("y", one));
    EXPECT_TRUE(object.delattr("y"));
    EXPECT_FALSE(object.getattr("y"));
    PyErr_Clear();
    EXPECT_TRUE(one.compare(one, Py_EQ));
    EXPECT_FALSE(value_of("[]").as<Str>());
    PyErr_Clear();
    EXPECT_TRUE(value_of("[]").as<List>());
  });
}

}  // namespace
}  // namespace tenure
