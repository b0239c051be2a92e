#include "tenure/handles/result.h"

#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

static_assert(sizeof(Result<>) == sizeof(PyObject*));
static_assert(!std::is_copy_constructible_v<Result<>> && !std::is_copy_assignable_v<Result<>>);
static_assert(std::is_nothrow_move_constructible_v<Result<>>);
static_assert(std::is_nothrow_move_assignable_v<Result<>>);
static_assert(std::is_convertible_v<PyObject*, Result<>>, "what calls of the C API return");
static_assert(!std::is_convertible_v<Result<>, bool>, "only where a condition is meant");

TEST(Result, HoldsWhatACallMade) {
  const Result<> list = PyList_New(0);
  ASSERT_TRUE(list);
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST(Result, HoldsTheErrorInstead) {
  const Result<> nothing = PyObject_GetAttrString(Py_None, "absent");
  EXPECT_FALSE(nothing);
  EXPECT_EQ(testing::take_error(), "AttributeError");
}

Result<> find(bool there) {
  if (there) return Owned<>::steal(PyList_New(0));
  PyErr_SetString(PyExc_KeyError, "not there");
  return nullptr;
}

TEST(Result, ComesFromOwnersToo) {
  const Result<> found = find(true);
  ASSERT_TRUE(found);
  EXPECT_EQ(Py_REFCNT(found.get()), 1);
  EXPECT_FALSE(find(false));
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST(Result, TurnsIntoAnOwner) {
  Result<> result = PyList_New(0);
  PyObject* const list = result.get();
  const Owned<> owner = std::move(result).take();
  EXPECT_EQ(owner.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
  EXPECT_FALSE(result);  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
}

TEST(Result, ReleasesTheReferenceOrTheError) {
  PyObject* const list = Result<>(PyList_New(0)).release();
  EXPECT_EQ(Py_REFCNT(list), 1);
  Py_DECREF(list);
  EXPECT_EQ(find(false).release(), nullptr);
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST(Result, MovesWithoutCounting) {
  Result<> a = PyList_New(0);
  PyObject* const list = a.get();
  Result<> b = std::move(a);
  EXPECT_EQ(b.get(), list);
  EXPECT_EQ(Py_REFCNT(list), 1);
  Result<>& same = b;
  b = std::move(same);
  EXPECT_EQ(b.get(), list);
  PyObject* other = PyList_New(0);
  Result<> c = Py_NewRef(other);
  c = std::move(b);
  EXPECT_EQ(Py_REFCNT(other), 1) << "the old one is given back";
  Py_DECREF(other);
}

// What a destructor sees of the result that is being assigned to.
Result<>* watched = nullptr;
PyObject* seen = nullptr;

PyObject* look(PyObject*, PyObject*) {
  seen = watched->get();
  Py_RETURN_NONE;
}

PyMethodDef look_method = {"look", look, METH_NOARGS, nullptr};

TEST(Result, DropsTheOldObjectWhenTheNewOneIsInPlace) {
  const Strong type =
      testing::evaluate("type('Sample', (), {'__del__': lambda self: self.look()})");
  Result<> result = PyObject_CallNoArgs(type.get());
  const Strong function = PyCFunction_New(&look_method, nullptr);
  PyObject_SetAttrString(result.get(), "look", function.get());
  watched = &result;
  Result<> next = PyList_New(0);
  PyObject* const expected = next.get();
  result = std::move(next);
  EXPECT_EQ(seen, expected);
}

TEST(Result, LeaksNothing) {
  testing::expect_no_leak([] {
    Result<> a = PyList_New(0);
    Result<> b = PyDict_New();
    a = std::move(b);
    const Owned<> owner = std::move(a).take();
    EXPECT_FALSE(find(false));
    PyErr_Clear();
  });
}

}  // namespace
}  // namespace tenure
