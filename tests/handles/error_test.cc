#include "tenure/handles/error.h"

#include <cerrno>
#include <exception>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using testing::Deaths;
using testing::on_another_thread;

static_assert(std::is_base_of_v<std::exception, PythonError>);
static_assert(std::is_nothrow_copy_constructible_v<PythonError>, "as exceptions have to be");
static_assert(std::is_nothrow_move_constructible_v<PythonError>);
static_assert(!std::is_default_constructible_v<PythonError>, "there is always an error");

DecrefQueue& queue() { return *DecrefQueue::main(); }

// "Type: message" of the error that is set, which is cleared; empty if there is none.
std::string take_text() {
  if (!error_is_set()) return "";
  return PythonError::take().what();
}

// Evaluates to an error.
void fail(const char* expression) {
  const Strong globals = testing::run("class Sample(Exception): pass\n");
  const Strong nothing = PyRun_String(expression, Py_eval_input, globals.get(), globals.get());
  ASSERT_FALSE(nothing);
}

PythonError caught(const char* expression) {
  fail(expression);
  return PythonError::take();
}

TEST(PythonError, IsThrownByResults) {
  Result<> result = PyObject_GetAttrString(Py_None, "absent");
  try {
    const Owned<> value = std::move(result).value_or_throw();
    FAIL();
  } catch (const PythonError& error) {
    EXPECT_FALSE(error_is_set()) << "the exception has it";
    EXPECT_TRUE(error.matches(PyExc_AttributeError));
    EXPECT_TRUE(error.matches(Borrowed<>(PyExc_Exception)));
    EXPECT_FALSE(error.matches(PyExc_KeyError));
    EXPECT_STREQ(error.what(), "AttributeError: 'NoneType' object has no attribute 'absent'");
  }
}

TEST(PythonError, RestoresTheVeryExceptionWithItsTraceback) {
  fail("[].pop()");
  PyObject* const value = PyErr_GetRaisedException();
  const Strong traceback = PyException_GetTraceback(value);
  ASSERT_TRUE(traceback);
  PyErr_SetRaisedException(Py_NewRef(value));
  PythonError error = PythonError::take();
  EXPECT_EQ(error.value().get(), value);
  PyObject* const answer = std::move(error).restore();
  EXPECT_EQ(answer, nullptr);
  const Strong restored = PyErr_GetRaisedException();
  EXPECT_EQ(restored.get(), value);
  EXPECT_EQ(Strong(PyException_GetTraceback(value)).get(), traceback.get());
  EXPECT_EQ(Py_REFCNT(value), 2);
  Py_DECREF(value);
}

TEST(PythonError, SharesTheExceptionWithItsCopies) {
  PythonError error = caught("{}['key']");
  PyObject* const value = error.value().get();
  std::optional<PythonError> copy = error;
  EXPECT_EQ(copy->value().get(), value);
  std::move(*copy).restore();
  EXPECT_EQ(error.value().get(), value) << "also when a copy is restored";
  EXPECT_EQ(take_text(), "KeyError: 'key'");
  copy.reset();
  PythonError moved = std::move(error);
  EXPECT_STREQ(moved.what(), "KeyError: 'key'");
  EXPECT_NE(error.what(), nullptr);  // NOLINT(bugprone-use-after-move): it never fails
  error = moved;
  EXPECT_EQ(error.what(), moved.what()) << "one text for all copies";
}

TEST(PythonError, ReplacesAnErrorThatIsSet) {
  PythonError error = caught("1 / 0");
  raise_value_error("another");
  std::move(error).restore();
  EXPECT_EQ(take_text(), "ZeroDivisionError: division by zero");
}

TEST(PythonError, SaysWhatIsThereToSay) {
  EXPECT_STREQ(caught("exec('raise KeyError')").what(), "KeyError");
  EXPECT_STREQ(caught("exec('raise Sample(\"a\", 1)')").what(), "Sample: ('a', 1)");
  EXPECT_STREQ(caught("exec('raise ValueError(\"\\u00e4\")')").what(), "ValueError: \u00e4");
  EXPECT_STREQ(caught("exec('raise ValueError(\"\\\\ud800\")')").what(), "ValueError: \\ud800");
  const PythonError error = caught("1 / 0");
  raise_value_error("set");
  EXPECT_STREQ(error.what(), "ZeroDivisionError: division by zero");
  EXPECT_EQ(take_text(), "ValueError: set") << "what() leaves alone what is set";
}

TEST(PythonError, HasANameWhenStrFails) {
  const Strong globals = testing::run(
      "class Bad(Exception):\n"
      "  def __str__(self): raise KeyError\n");
  PyErr_SetNone(PyDict_GetItemString(globals.get(), "Bad"));
  const PythonError error = PythonError::take();
  EXPECT_STREQ(error.what(), "Bad");
  EXPECT_FALSE(error_is_set());
}

TEST(PythonError, HasANameWithoutAModule) {
  const Strong type = testing::evaluate("type('Homeless', (Exception,), {})");
  PyErr_SetNone(type.get());
  EXPECT_STREQ(PythonError::take().what(), "Homeless");
}

TEST(PythonError, IsASystemErrorWhereNoneIsSet) {
  EXPECT_THROW(throw_python_error(), PythonError);
  EXPECT_TRUE(PythonError::take().matches(PyExc_SystemError));
}

class PythonErrorDetached : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    testing::expect_balanced(queue());
  }
};

TEST_F(PythonErrorDetached, IsCopiedAndDropped) {
  std::optional<PythonError> error = caught("1 / 0");
  const Strong value = Py_NewRef(error->value().get());
  const Py_ssize_t before = Py_REFCNT(value.get());
  on_another_thread([&error] {
    const PythonError copy = *error;
    EXPECT_STREQ(copy.what(), "ZeroDivisionError") << "nobody may ask for more here";
    error.reset();
  });
  EXPECT_EQ(Py_REFCNT(value.get()), before) << "put off";
  EXPECT_EQ(queue().flush(), 1U);
  EXPECT_EQ(Py_REFCNT(value.get()), before - 1);
}

TEST_F(PythonErrorDetached, TellsWhatItWasAskedForBefore) {
  const PythonError error = caught("1 / 0");
  EXPECT_STREQ(error.what(), "ZeroDivisionError: division by zero");
  on_another_thread(
      [&error] { EXPECT_STREQ(error.what(), "ZeroDivisionError: division by zero"); });
}

TEST_F(PythonErrorDetached, IsAskedByManyThreads) {
  const PythonError error = caught("1 / 0");
  on_another_thread([&error] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([copy = error] {
        const Attach attach(queue().gate());
        EXPECT_TRUE(attach);
        EXPECT_STREQ(copy.what(), "ZeroDivisionError: division by zero");
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
}

TEST_F(PythonErrorDetached, GoesThroughFutures) {
  std::promise<int> promise;
  try {
    fail("1 / 0");
    throw_python_error();
  } catch (...) {
    promise.set_exception(std::current_exception());
  }
  on_another_thread([&promise] {
    try {
      promise.get_future().get();
      FAIL();
    } catch (const PythonError& error) {
      EXPECT_STREQ(error.what(), "ZeroDivisionError");
    }
    promise = {};
  });
}

// While it lives, this thread is attached to an interpreter of its own.
class OtherInterpreter {
 public:
  OtherInterpreter() : main_(PyThreadState_Get()), state_(Py_NewInterpreter()) {}
  ~OtherInterpreter() {
    Py_EndInterpreter(state_);
    PyThreadState_Swap(main_);
  }
  OtherInterpreter(const OtherInterpreter&) = delete;
  OtherInterpreter& operator=(const OtherInterpreter&) = delete;

 private:
  PyThreadState* const main_;
  PyThreadState* const state_;
};

TEST(PythonErrorOfAnotherInterpreter, OutlivesIt) {
  std::optional<PythonError> error;
  DecrefQueue* queue = nullptr;
  {
    const OtherInterpreter other;
    error.emplace(caught("1 / 0"));
    queue = DecrefQueue::current();
    ASSERT_NE(queue, nullptr);
  }
  EXPECT_STREQ(error->what(), "ZeroDivisionError");
  PythonError copy = *error;
  error.reset();
  copy = caught("{}['key']");
  EXPECT_STREQ(copy.what(), "KeyError: 'key'");
  EXPECT_EQ(queue->stats().leaked, 1U) << "its object is gone with it";
}

TEST(PythonErrorOfAnotherInterpreter, IsLeftToIt) {
  const PythonError error = caught("1 / 0");
  const OtherInterpreter other;
  EXPECT_STREQ(error.what(), "ZeroDivisionError") << "str() is for the interpreter it is of";
  const PythonError copy = error;
}

TEST(PythonErrorWithoutQueue, IsThrownAndRestored) {
  const OtherInterpreter other;
  for (int i = 0; i < 2; ++i) {
    raise_value_error("text");
    {
      const testing::FailingMemory failing(0);
      PythonError error = PythonError::take();
      EXPECT_STREQ(error.what(), "ValueError");
      const PythonError copy = error;
      if (i == 0) std::move(error).restore();
    }
    EXPECT_EQ(testing::take_error(), i == 0 ? "ValueError" : "") << "dropped, it is leaked";
  }
}

TEST(Errors, AreMatchedTakenAndSet) {
  EXPECT_FALSE(error_is_set());
  EXPECT_FALSE(take_error());
  fail("{}['key']");
  EXPECT_TRUE(error_is_set());
  EXPECT_TRUE(error_matches(PyExc_LookupError));
  const Strong several = Py_BuildValue("(OO)", PyExc_TypeError, PyExc_KeyError);
  EXPECT_TRUE(error_matches(several.get()));
  EXPECT_FALSE(error_matches(PyExc_IndexError));
  std::optional<Owned<Exception>> error = take_error();
  ASSERT_TRUE(error);
  EXPECT_FALSE(error_is_set());
  EXPECT_TRUE(error->matches(PyExc_KeyError));
  EXPECT_TRUE(error->traceback());
  EXPECT_TRUE(error->is_a<Exception>());
  EXPECT_FALSE(Exception::check(Py_None));
  EXPECT_FALSE(Exception::check(PyExc_KeyError)) << "a type is no exception";
  set_error(std::move(*error));
  EXPECT_EQ(take_text(), "KeyError: 'key'");
  fail("1 / 0");
  clear_error();
  EXPECT_FALSE(error_is_set());
  clear_error();
}

TEST(Errors, ArePutAside) {
  {
    const ErrorAside nothing;
    EXPECT_FALSE(error_is_set());
  }
  EXPECT_FALSE(error_is_set());
  raise_value_error("first");
  {
    const ErrorAside aside;
    EXPECT_FALSE(error_is_set());
    raise_value_error("second");
  }
  EXPECT_EQ(take_text(), "ValueError: first");
}

TEST(Errors, AreChained) {
  fail("{}['key']");
  raise_from_error(PyExc_RuntimeError, "no value for %d", 7);
  const Owned<Exception> error = *take_error();
  EXPECT_TRUE(error.matches(PyExc_RuntimeError));
  const Lookup<Exception> cause = error.cause();
  ASSERT_TRUE(cause);
  EXPECT_TRUE((*cause).matches(PyExc_KeyError));
  const Lookup<Exception> context = error.context();
  ASSERT_TRUE(context);
  EXPECT_TRUE((*context).is(*cause));
  EXPECT_FALSE((*cause).cause());
}

TEST(Errors, AreChainedToOneThatWasTaken) {
  fail("1 / 0");
  Owned<Exception> cause = *take_error();
  PyObject* const expected = cause.get();
  raise_from(std::move(cause), PyExc_ValueError, "later");
  Owned<Exception> error = *take_error();
  EXPECT_EQ(error.cause().take().get(), expected);
  // To itself it would be an endless chain.
  set_error(error.new_ref());
  chain_error(error.new_ref());
  EXPECT_EQ(error.cause().take().get(), expected);
  clear_error();
}

TEST(Errors, NeedNoCause) {
  raise_from_error(PyExc_ValueError, "alone");
  const Owned<Exception> error = *take_error();
  EXPECT_FALSE(error.cause());
  EXPECT_TRUE(error.cause().ok());
  EXPECT_FALSE(error.context());
}

TEST(Errors, HaveNotes) {
  raise_value_error("text");
  note_error("a note");
  note_error("\xff is no UTF-8");
  EXPECT_TRUE(error_matches(PyExc_ValueError)) << "a note that cannot be added changes nothing";
  const Owned<Exception> error = *take_error();
  EXPECT_EQ(testing::repr(testing::attribute(error.get(), "__notes__").get()), "['a note']");
  EXPECT_FALSE(error.add_note("\xff"));
  EXPECT_EQ(testing::take_error(), "UnicodeDecodeError");
}

Result<> result_of(int number) { return raise_value_error("%d", number); }
PyObject* object_of() { return raise_type_error("text"); }
int status_of() { return raise_index_error("text"); }

TEST(Raise, AnswersWhatTheFunctionDoes) {
  EXPECT_FALSE(result_of(3));
  EXPECT_EQ(take_text(), "ValueError: 3");
  EXPECT_EQ(object_of(), nullptr);
  EXPECT_EQ(take_text(), "TypeError: text");
  EXPECT_EQ(status_of(), -1);
  EXPECT_EQ(take_text(), "IndexError: text");
}

TEST(Raise, FormatsHandlesTextsAndNumbers) {
  const Owned<> list = Owned<>::steal(PyList_New(2));
  const Borrowed<> none(Py_None);
  const std::string text = "text";
  raise_type_error("%T %R %S %s %s %%", list, none, none, text, "literal");
  EXPECT_EQ(take_text(), "TypeError: list None None text literal %");
  raise(PyExc_RuntimeError, "%d %u %ld %zd %zu %lld %c %5d|%-4d|%x", -1, 2U, -3L, Py_ssize_t{-4},
        size_t{5}, -6LL, 'c', 7, 8, 255U);
  EXPECT_EQ(take_text(), "RuntimeError: -1 2 -3 -4 5 -6 c     7|8   |ff");
  raise_overflow_error("%N %.3s %.*s", Py_TYPE(Py_None), "abcdef", 2, "abcdef");
  EXPECT_EQ(take_text(), "OverflowError: NoneType abc ab");
  const int8_t small = -1;
  const uint16_t middle = 65535;
  raise_runtime_error("%d %d %d", small, static_cast<int>(middle), true);
  EXPECT_EQ(take_text(), "RuntimeError: -1 65535 1");
  raise_attribute_error("100%%");
  EXPECT_EQ(take_text(), "AttributeError: 100%");
  raise_buffer_error("b");
  EXPECT_EQ(take_text(), "BufferError: b");
}

TEST(Raise, TakesAnyTypeOfExceptions) {
  const Strong type = testing::evaluate("type('Sample', (ValueError,), {'__module__': 'here'})");
  raise(Borrowed<>(type.get()), "text");
  EXPECT_TRUE(error_matches(PyExc_ValueError));
  EXPECT_EQ(take_text(), "here.Sample: text");
  raise(Py_None, "text");
  EXPECT_EQ(testing::take_error(), "SystemError");
}

TEST(Raise, PassesArgumentsAsTheyAre) {
  const Owned<> tuple = Owned<>::steal(Py_BuildValue("(ii)", 1, 2));
  raise_key_error(tuple);
  EXPECT_EQ(take_text(), "KeyError: (1, 2)");
  raise_stop_iteration(tuple);
  const Owned<Exception> stop = *take_error();
  EXPECT_TRUE(stop.matches(PyExc_StopIteration));
  EXPECT_EQ(testing::attribute(stop.get(), "value").get(), tuple.get());
  raise_stop_iteration();
  EXPECT_EQ(testing::take_error(), "StopIteration");
  raise_memory_error();
  EXPECT_EQ(testing::take_error(), "MemoryError");
  raise_os_error(ENOENT);
  EXPECT_EQ(testing::take_error(), "FileNotFoundError");
  raise_object(Py_None, tuple);
  EXPECT_EQ(testing::take_error(), "TypeError") << "None cannot be called";
}

TEST(Raise, PassesOnWhatFormattingRaises) {
  const Strong bad = testing::evaluate("type('Bad', (), {'__repr__': lambda self: 1 / 0})()");
  raise_type_error("%R", Borrowed<>(bad.get()));
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
}

TEST(Raise, HasTheContextThatPythonWouldGiveIt) {
  static PyMethodDef method = {
      "fail", [](PyObject*, PyObject*) -> PyObject* { return raise_value_error("second"); },
      METH_NOARGS, nullptr};
  const Strong globals = testing::run("sys.modules['__main__'].fail = None\n");
  const Strong function = PyCFunction_New(&method, nullptr);
  PyDict_SetItemString(globals.get(), "fail", function.get());
  const Strong nothing = PyRun_String("try:\n  1 / 0\nexcept ZeroDivisionError:\n  fail()\n",
                                      Py_file_input, globals.get(), globals.get());
  EXPECT_FALSE(nothing);
  const Owned<Exception> error = *take_error();
  EXPECT_TRUE(error.matches(PyExc_ValueError));
  ASSERT_TRUE(error.context());
  EXPECT_TRUE(error.context().take().matches(PyExc_ZeroDivisionError));
}

TEST(Errors, SurviveEveryAllocationThatFails) {
  for (long n = 0; n < 40; ++n) {
    raise_value_error("first");
    {
      const testing::FailingMemory failing(n);
      const PythonError error = PythonError::take();
      EXPECT_NE(error.what(), nullptr);
      PythonError(error).restore();
    }
    EXPECT_EQ(testing::take_error(), "ValueError") << n;
    const testing::FailingMemory failing(n);
    raise_value_error("first");
    raise_from_error(PyExc_RuntimeError, "second %d", 2);
    note_error("third");
    EXPECT_TRUE(error_matches(PyExc_RuntimeError) || error_matches(PyExc_MemoryError)) << n;
    clear_error();
  }
}

TEST(Errors, LeakNothing) {
  testing::expect_no_leak([] {
    PythonError error = caught("1 / 0");
    EXPECT_NE(error.what(), nullptr);
    PythonError copy = error;
    std::move(error).restore();
    raise_from_error(PyExc_ValueError, "%R", Borrowed<>(Py_None));
    note_error("note");
    const Owned<Exception> raised = *take_error();
    EXPECT_TRUE(raised.cause());
    raise_key_error(raised);
    clear_error();
  });
}

}  // namespace
}  // namespace tenure
