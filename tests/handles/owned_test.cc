#include "tenure/handles/owned.h"

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

static_assert(sizeof(Owned<>) == sizeof(PyObject*));
static_assert(!std::is_default_constructible_v<Owned<>>);
static_assert(!std::is_copy_constructible_v<Owned<>> && !std::is_copy_assignable_v<Owned<>>);
static_assert(std::is_nothrow_move_constructible_v<Owned<>>);
static_assert(std::is_nothrow_move_assignable_v<Owned<>>);
static_assert(!std::is_constructible_v<Owned<>, PyObject*>, "only steal() says what happens");

Owned<> new_list() { return Owned<>::steal(PyList_New(0)); }

TEST(Owned, StealsAndGivesBack) {
  PyObject* list = PyList_New(0);
  {
    const Owned<> owner = Owned<>::steal(Py_NewRef(list));
    EXPECT_EQ(owner.get(), list);
    EXPECT_EQ(Py_REFCNT(list), 2);
  }
  EXPECT_EQ(Py_REFCNT(list), 1);
  Py_DECREF(list);
}

TEST(Owned, MovesWithoutCounting) {
  Owned<> a = new_list();
  PyObject* const list = a.get();
  Owned<> b = std::move(a);
  EXPECT_EQ(b.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
  a = std::move(b);  // what was moved from may be assigned to
  EXPECT_EQ(a.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
}

TEST(Owned, AssigningDropsTheOldObject) {
  PyObject* old = PyList_New(0);
  Owned<> owner = Owned<>::steal(Py_NewRef(old));
  owner = new_list();
  EXPECT_EQ(Py_REFCNT(old), 1);
  EXPECT_NE(owner.get(), old);
  Py_DECREF(old);
}

TEST(Owned, SurvivesBeingAssignedToItself) {
  Owned<> owner = new_list();
  PyObject* const list = owner.get();
  Owned<>& same = owner;
  owner = std::move(same);
  EXPECT_EQ(owner.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
}

TEST(Owned, MakesSecondReferencesInTheOpen) {
  const Owned<> owner = new_list();
  {
    const Owned<> second = owner.new_ref();
    EXPECT_EQ(second.get(), owner.get());
    EXPECT_EQ(Py_REFCNT(owner.get()), 2);
  }
  EXPECT_EQ(Py_REFCNT(owner.get()), 1);
}

TEST(Owned, ReleasesToWhoeverTakesOver) {
  PyObject* const list = new_list().release();
  EXPECT_EQ(Py_REFCNT(list), 1);
  Py_DECREF(list);
}

TEST(Owned, LivesInContainers) {
  const Strong list = PyList_New(0);
  {
    std::vector<Owned<>> owners;
    for (int i = 0; i < 100; ++i) owners.push_back(Owned<>::steal(Py_NewRef(list.get())));
    EXPECT_EQ(Py_REFCNT(list.get()), 101);
    owners.erase(owners.begin() + 10, owners.begin() + 60);
    EXPECT_EQ(Py_REFCNT(list.get()), 51);
  }
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

// Destructors run any code. What they see of the handle that is being assigned to is the new
// object, and what they do to it holds.
Owned<>* watched = nullptr;
PyObject* seen = nullptr;
bool replace = false;

PyObject* look(PyObject*, PyObject*) {
  seen = watched->get();
  if (replace) *watched = Owned<>::steal(PyDict_New());
  Py_RETURN_NONE;
}

PyMethodDef look_method = {"look", look, METH_NOARGS, nullptr};

Owned<> new_looker() {
  const Strong type =
      testing::evaluate("type('Sample', (), {'__del__': lambda self: self.look()})");
  Owned<> looker = Owned<>::steal(PyObject_CallNoArgs(type.get()));
  const Strong function = PyCFunction_New(&look_method, nullptr);
  PyObject_SetAttrString(looker.get(), "look", function.get());
  return looker;
}

TEST(Owned, ShowsDestructorsTheNewObject) {
  Owned<> handle = new_looker();
  watched = &handle;
  replace = false;
  Owned<> next = new_list();
  PyObject* const expected = next.get();
  handle = std::move(next);
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(handle.get(), expected);
}

TEST(Owned, LetsDestructorsAssignToIt) {
  Owned<> handle = new_looker();
  watched = &handle;
  replace = true;
  const Strong list = PyList_New(0);
  handle = Owned<>::steal(Py_NewRef(list.get()));
  EXPECT_TRUE(PyDict_CheckExact(handle.get())) << "what the destructor put there";
  EXPECT_EQ(Py_REFCNT(list.get()), 1) << "and what it replaced is gone";
}

TEST(Owned, LeaksNothing) {
  testing::expect_no_leak([] {
    Owned<> a = new_list();
    Owned<> b = a.new_ref();
    a = std::move(b);
    b = a.borrow().new_ref();
    Py_DECREF(std::move(b).release());
  });
}

#ifndef NDEBUG
TEST(OwnedDeathTest, BelongsToAttachedThreads) {
  const Owned<> list = new_list();
  const auto copy_detached = [&] {
    const Detach detach;
    const Owned<> second = list.new_ref();
  };
  EXPECT_DEATH(copy_detached(), "is_attached");
  const auto drop_detached = [] {
    std::optional<Owned<>> owner(new_list());
    const Detach detach;
    owner.reset();
  };
  EXPECT_DEATH(drop_detached(), "is_attached");
}
#endif

}  // namespace
}  // namespace tenure
