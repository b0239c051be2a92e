#include "tenure/handles/capsule.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

constexpr const char* kTables = "tests.tables";

int alive = 0;

struct Tables {
  explicit Tables(int value) : number(value) { ++alive; }
  Tables(Tables&& other) noexcept : number(other.number) { ++alive; }
  ~Tables() { --alive; }
  int number;
};

TEST(Capsule, OwnsWhatItIsGiven) {
  {
    const Owned<Capsule> capsule =
        Capsule::make(kTables, std::make_unique<Tables>(7)).value_or_throw();
    EXPECT_EQ(alive, 1);
    const Result<Tables*> tables = capsule.unwrap<Tables>(kTables);
    ASSERT_TRUE(tables);
    EXPECT_EQ((*tables)->number, 7);
    EXPECT_TRUE(Capsule::check(capsule.get()));
    EXPECT_FALSE(Capsule::check(Py_None));
  }
  EXPECT_EQ(alive, 0);
}

TEST(Capsule, OwnsValues) {
  {
    const Owned<Capsule> capsule = Capsule::make(kTables, Tables(8)).value_or_throw();
    EXPECT_EQ(alive, 1);
    EXPECT_EQ((*capsule.unwrap<const Tables>(kTables))->number, 8);
  }
  EXPECT_EQ(alive, 0);
  const Owned<Capsule> text = Capsule::make("tests.text", std::string(1000, 'x')).value_or_throw();
  EXPECT_EQ((*text.unwrap<std::string>("tests.text"))->size(), 1000U);
}

TEST(Capsule, RefersToWhatOthersOwn) {
  static const int number = 5;
  const Owned<Capsule> capsule = Capsule::refer_to("tests.number", &number).value_or_throw();
  EXPECT_EQ(*capsule.unwrap<const int>("tests.number"), &number);
}

TEST(Capsule, IsKnownByItsName) {
  const Owned<Capsule> capsule = Capsule::make(kTables, Tables(1)).value_or_throw();
  EXPECT_TRUE(capsule.has_name(kTables));
  EXPECT_TRUE(capsule.has_name(std::string(kTables).c_str())) << "by value";
  EXPECT_FALSE(capsule.has_name("tests.others"));
  EXPECT_FALSE(capsule.has_name(nullptr));
  EXPECT_FALSE(capsule.unwrap<Tables>("tests.others"));
  EXPECT_EQ(testing::take_error(), "ValueError");
}

TEST(Capsule, IsImported) {
  const Strong module = testing::evaluate("type(sys)('tests')");
  const Owned<Capsule> capsule = Capsule::make(kTables, Tables(9)).value_or_throw();
  PyObject_SetAttrString(module.get(), "tables", capsule.get());
  PyDict_SetItemString(PyImport_GetModuleDict(), "tests", module.get());
  EXPECT_EQ((*Capsule::import <Tables>(kTables))->number, 9);
  EXPECT_FALSE(Capsule::import <Tables>("tests.others"));
  EXPECT_EQ(testing::take_error(), "AttributeError");
  EXPECT_FALSE(Capsule::import <Tables>("no_such_module.tables"));
  EXPECT_EQ(testing::take_error(), "ImportError");
  PyDict_DelItemString(PyImport_GetModuleDict(), "tests");
}

TEST(Capsule, KeepsNothingWhenItCannotBeMade) {
  // What the test before put into a module is there until a collection, free-threaded.
  const int before = alive;
  {
    auto tables = std::make_unique<Tables>(7);
    const testing::FailingMemory failing(0);
    EXPECT_FALSE(Capsule::make(kTables, std::move(tables)));
  }
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_EQ(alive, before);
}

TEST(Capsule, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<Capsule> capsule = Capsule::make(kTables, Tables(1)).value_or_throw();
    EXPECT_TRUE(capsule.unwrap<Tables>(kTables));
  });
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace tenure
