#include "tenure/handles/borrowed.h"

#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

struct Thing {};

static_assert(sizeof(Borrowed<>) == sizeof(PyObject*));
static_assert(std::is_trivially_copyable_v<Borrowed<>>);
static_assert(std::is_trivially_destructible_v<Borrowed<>>);
static_assert(!std::is_default_constructible_v<Borrowed<>>, "there is always an object");
static_assert(!std::is_constructible_v<Borrowed<>, std::nullptr_t>);
static_assert(!std::is_constructible_v<Borrowed<>, Owned<>>, "a temporary owner");
static_assert(std::is_convertible_v<Owned<>&, Borrowed<>>);
static_assert(std::is_convertible_v<const Owned<>&, Borrowed<>>);
static_assert(!std::is_convertible_v<PyObject*, Borrowed<>>, "said in the open");
static_assert(!std::is_convertible_v<Owned<Thing>&, Borrowed<>>, "of another type");

TEST(Borrowed, CountsNothing) {
  const Strong list = PyList_New(0);
  {
    const Borrowed<> a(list.get());
    Borrowed<> b = a;
    b = a;
    EXPECT_EQ(b.get(), list.get());
    EXPECT_EQ(Py_REFCNT(list.get()), 1);
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST(Borrowed, ComesFromAnOwner) {
  const Owned<> owner = Owned<>::steal(PyList_New(0));
  const Borrowed<> implicit = owner;
  const Borrowed<> explicit_one = owner.borrow();
  EXPECT_EQ(implicit.get(), owner.get());
  EXPECT_EQ(explicit_one.get(), owner.get());
  EXPECT_EQ(Py_REFCNT(owner.get()), 1);
}

TEST(Borrowed, BecomesAnOwner) {
  const Strong list = PyList_New(0);
  {
    const Borrowed<> borrowed(list.get());
    const Owned<> owner = borrowed.new_ref();
    EXPECT_EQ(owner.get(), list.get());
    EXPECT_EQ(Py_REFCNT(list.get()), 2);
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST(Borrowed, MayBeAbsentInAnOptional) {
  std::optional<Borrowed<>> none;
  EXPECT_FALSE(none);
  none = Borrowed<>(Py_None);
  EXPECT_EQ(none->get(), Py_None);
}

TEST(Borrowed, IsCopiedAndDroppedOnAnyThread) {
  const Strong list = PyList_New(0);
  const Borrowed<> borrowed(list.get());
  const Detach detached;
  PyObject* seen = nullptr;
  std::thread other([borrowed, &seen] {
    const Borrowed<> copy = borrowed;
    seen = copy.get();
  });
  other.join();
  EXPECT_EQ(seen, list.get());
}

}  // namespace
}  // namespace tenure
