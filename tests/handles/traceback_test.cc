#include "tenure/handles/traceback.h"

#include <optional>
#include <source_location>
#include <string>

#include <gtest/gtest.h>

#include "tenure/handles/exception.h"
#include "tenure/handles/raise.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using internal::short_function_name;

// The places of the error that is set, which is cleared: "file:line function" each.
std::string take_places() {
  const Owned<Exception> error = *take_error();
  std::string places;
  Strong traceback = PyException_GetTraceback(error.get());
  while (traceback && !Py_IsNone(traceback.get())) {
    const Strong frame = testing::attribute(traceback.get(), "tb_frame");
    const Strong code = testing::attribute(frame.get(), "f_code");
    const Strong line = testing::attribute(traceback.get(), "tb_lineno");
    const std::string file = PyUnicode_AsUTF8(testing::attribute(code.get(), "co_filename").get());
    if (!places.empty()) places += ", ";
    places += file.substr(file.rfind('/') + 1) + ":" + std::to_string(PyLong_AsLong(line.get())) +
              " " + PyUnicode_AsUTF8(testing::attribute(code.get(), "co_name").get());
    traceback = testing::attribute(traceback.get(), "tb_next");
  }
  return places;
}

std::string here(unsigned line, const std::string& function) {
  return "traceback_test.cc:" + std::to_string(line) + " " + function;
}

constexpr unsigned kInnerLine = __LINE__ + 1;
Result<> inner() { return raise_value_error("text"), add_traceback(); }

constexpr unsigned kOuterLine = __LINE__ + 2;
Result<> outer() {
  Owned<> value = TENURE_TRY_TRACED(inner());
  return value;
}

TEST(Traceback, ShowsPlacesInCpp) {
  EXPECT_FALSE(outer());
  EXPECT_TRUE(error_matches(PyExc_ValueError));
  EXPECT_EQ(take_places(), here(kOuterLine, "outer") + ", " + here(kInnerLine, "inner"));
}

TEST(Traceback, GoesOnFromPython) {
  const Strong globals = testing::run("def fail(): 1 / 0\n");
  const Result<> nothing = PyObject_CallNoArgs(PyDict_GetItemString(globals.get(), "fail"));
  EXPECT_FALSE(nothing);
  const auto line = std::source_location::current().line() + 1;
  EXPECT_EQ(add_traceback(), nullptr);
  EXPECT_EQ(take_places(), here(line, "TestBody") + ", <string>:1 fail");
}

TEST(Traceback, CostsNothingWhereNothingFails) {
  const auto none = []() -> Result<> { return TENURE_TRY_TRACED(Result<>(Py_NewRef(Py_None))); };
  EXPECT_TRUE(none());
  EXPECT_FALSE(error_is_set());
}

TEST(Traceback, NamesFunctionsShortly) {
  EXPECT_EQ(short_function_name("int main()"), "main");
  EXPECT_EQ(short_function_name("tenure::Result<> find(const Str&, int)"), "find");
  EXPECT_EQ(short_function_name("std::vector<std::pair<int, int> > ns::Type<int>::get() const"),
            "get");
  EXPECT_EQ(short_function_name("PyObject* ns::call(PyObject*)"), "call");
  EXPECT_EQ(short_function_name("T& ns::get(Args&& ...) [with T = int; Args = {char}]"), "get");
  EXPECT_EQ(short_function_name("ns::Type::Type(int)"), "Type");
  EXPECT_EQ(short_function_name("ns::Type::~Type()"), "~Type");
  EXPECT_EQ(short_function_name("bool ns::Type::operator()(int) const"), "operator()");
  EXPECT_EQ(short_function_name("bool ns::Type::operator<(const ns::Type&) const"), "operator<");
  EXPECT_EQ(short_function_name("ns::f(int)::<lambda(PyObject*)>"), "f");
  EXPECT_EQ(short_function_name("auto f(int)::<lambda(int)>::operator()(int) const"), "f");
  EXPECT_EQ(short_function_name("name"), "name");
  EXPECT_EQ(short_function_name(""), "");
}

TEST(Traceback, KeepsTheErrorWhateverFails) {
  for (long n = 0; n < 30; ++n) {
    raise_value_error("text");
    const Owned<Exception> before = *take_error();
    set_error(before.new_ref());
    {
      const testing::FailingMemory failing(n);
      add_traceback();
    }
    const Owned<Exception> after = *take_error();
    EXPECT_TRUE(after.is(before) || after.matches(PyExc_MemoryError)) << n;
  }
}

TEST(Traceback, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_FALSE(outer());
    clear_error();
  });
}

}  // namespace
}  // namespace tenure
