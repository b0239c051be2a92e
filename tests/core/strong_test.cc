#include "tenure/core/strong.h"

#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

static_assert(sizeof(Strong) == sizeof(PyObject*));
static_assert(!std::is_copy_constructible_v<Strong> && !std::is_copy_assignable_v<Strong>);
static_assert(std::is_nothrow_move_constructible_v<Strong>);
static_assert(std::is_nothrow_move_assignable_v<Strong>);

TEST(Strong, StealsAndGivesBack) {
  PyObject* list = PyList_New(0);
  {
    const Strong second = Py_NewRef(list);
    EXPECT_EQ(Py_REFCNT(list), 2);
    EXPECT_EQ(second.get(), list);
  }
  EXPECT_EQ(Py_REFCNT(list), 1);
  Py_DECREF(list);
}

TEST(Strong, MayBeAbsent) {
  const Strong none;
  const Strong null(nullptr);
  EXPECT_FALSE(none);
  EXPECT_FALSE(null);
  EXPECT_EQ(null.get(), nullptr);
}

TEST(Strong, MovingLeavesNothingBehind) {
  Strong a = PyList_New(0);
  PyObject* const list = a.get();
  Strong b = std::move(a);
  EXPECT_EQ(b.get(), list);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
  EXPECT_EQ(Py_REFCNT(list), 1);
}

TEST(Strong, ReleaseGivesTheReferenceAway) {
  Strong a = PyList_New(0);
  PyObject* const list = std::move(a).release();
  EXPECT_EQ(Py_REFCNT(list), 1);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move)
  Py_DECREF(list);
}

TEST(Strong, SurvivesBeingAssignedToItself) {
  Strong a = PyList_New(0);
  PyObject* const list = a.get();
  Strong& same = a;
  a = std::move(same);
  EXPECT_EQ(a.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
}

// What a destructor sees of the handle that is being assigned to.
Strong* watched = nullptr;
PyObject* seen = nullptr;

PyObject* look(PyObject*, PyObject*) {
  seen = watched->get();
  Py_RETURN_NONE;
}

PyMethodDef look_method = {"look", look, METH_NOARGS, nullptr};

TEST(Strong, DropsTheOldObjectWhenTheNewOneIsInPlace) {
  const Strong type =
      testing::evaluate("type('Sample', (), {'__del__': lambda self: self.look()})");
  Strong handle = PyObject_CallNoArgs(type.get());
  const Strong function = PyCFunction_New(&look_method, nullptr);
  PyObject_SetAttrString(handle.get(), "look", function.get());
  watched = &handle;
  Strong next = PyList_New(0);
  PyObject* const expected = next.get();
  handle = std::move(next);
  EXPECT_EQ(seen, expected);
}

TEST(Strong, LeaksNothing) {
  testing::expect_no_leak([] {
    Strong a = PyList_New(0);
    Strong b = PyDict_New();
    a = std::move(b);
    b = PyList_New(1);
    Py_DECREF(std::move(b).release());
  });
}

}  // namespace
}  // namespace tenure
