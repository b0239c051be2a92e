#include "tenure/handles/weakref.h"

#include <utility>

#include <gtest/gtest.h>

#include "tenure/handles/exception.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

// Something that weak references can be made to.
Owned<> new_target() {
  return Owned<>::steal(
      testing::evaluate("type('Sample', (), {'__module__': 'tests'})()").release());
}

TEST(WeakRef, FindsTheTargetWhileItLives) {
  Strong target = new_target().release();
  PyObject* const object = target.get();
  const Owned<WeakRef<>> weak = WeakRef<>::make(Borrowed<>(object)).value_or_throw();
  EXPECT_TRUE(WeakRef<>::check(weak.get()));
  {
    const Lookup<> alive = weak.lock();
    ASSERT_TRUE(alive);
    EXPECT_EQ((*alive).get(), object);
    target = Strong();
    EXPECT_TRUE(weak.lock()) << "who has locked it keeps it";
  }
  const Lookup<> dead = weak.lock();
  EXPECT_TRUE(dead.ok());
  EXPECT_FALSE(dead);
}

TEST(WeakRef, CountsNothingForTheTarget) {
  const Owned<> target = new_target();
  const Owned<WeakRef<>> weak = WeakRef<>::make(target).value_or_throw();
  EXPECT_EQ(Py_REFCNT(target.get()), 1);
}

TEST(WeakRef, CallsBack) {
  const Owned<> calls = Owned<>::steal(PyList_New(0));
  const Owned<> append = Owned<>::steal(PyObject_GetAttrString(calls.get(), "append"));
  Strong target = new_target().release();
  const Owned<WeakRef<>> weak = WeakRef<>::make(Borrowed<>(target.get()), append).value_or_throw();
  target = Strong();
  ASSERT_EQ(PyList_Size(calls.get()), 1);
  EXPECT_EQ(PyList_GetItem(calls.get(), 0), weak.get());
  PyList_SetSlice(calls.get(), 0, 1, nullptr);
}

TEST(WeakRef, IsRefusedWhereThereIsNoRoom) {
  EXPECT_FALSE(WeakRef<>::make(Borrowed<>(Py_None)));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(WeakRef, IsNoProxy) {
  const Owned<> target = new_target();
  const Strong proxy = PyWeakref_NewProxy(target.get(), nullptr);
  EXPECT_FALSE(WeakRef<>::check(proxy.get()));
  EXPECT_FALSE(WeakRef<>::check(Py_None));
}

TEST(WeakRef, IsToWhatItSays) {
  const Owned<Exception> error =
      Owned<Exception>::steal(testing::evaluate("type('Sample', (Exception,), {})()").release());
  const Owned<WeakRef<Exception>> weak = WeakRef<Exception>::make(error).value_or_throw();
  EXPECT_TRUE(weak.lock().take().is(error));

  const Owned<> target = new_target();
  const Owned<WeakRef<>> other = WeakRef<>::make(target).value_or_throw();
  const Borrowed<WeakRef<Exception>> from_elsewhere(other.get());
  EXPECT_FALSE(from_elsewhere.lock().ok());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_EQ(Py_REFCNT(target.get()), 1);
}

TEST(WeakRef, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<> target = new_target();
    const Owned<WeakRef<>> weak = WeakRef<>::make(target).value_or_throw();
    EXPECT_TRUE(weak.lock());
    EXPECT_FALSE(Borrowed<WeakRef<Exception>>(weak.get()).lock().ok());
    clear_error();
  });
}

}  // namespace
}  // namespace tenure
