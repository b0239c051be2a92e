// Literals over the life of interpreters: before one is there, in several at once, across a fork,
// at the end, and in the next one. Each is a program of its own.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/names.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/literal.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using literal::Name;
using literal::object;
using testing::passes;
using testing::Program;
using testing::require;

PyObject* text() { return object<literal::str("a literal of the test")>(); }
PyObject* euros() { return object<literal::str("10 \u20ac")>(); }
PyObject* data() { return object<literal::bytes("some bytes")>(); }
PyObject* pair() { return object<literal::tuple<literal::str("a literal of the test"), 70'000>>(); }

// Runs code with the literals in its namespace.
void run_with_literals(const char* source) {
  const Strong globals = PyDict_New();
  PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins());
  PyDict_SetItemString(globals.get(), "text", text());
  PyDict_SetItemString(globals.get(), "euros", euros());
  PyDict_SetItemString(globals.get(), "data", data());
  PyDict_SetItemString(globals.get(), "pair", pair());
  const Strong done = PyRun_String(source, Py_file_input, globals.get(), globals.get());
  if (!done) PyErr_Print();
  require(static_cast<bool>(done), source);
}

// Leaves them in places that the interpreter takes apart at its end.
constexpr const char* kUse = R"(
import sys
made = " ".join(["a", "literal", "of", "the", "test"])
assert {made: 1, b"some " + b"bytes": 2, (made, 70_000): 3} == {text: 1, data: 2, pair: 3}
assert hash(made) == hash(text) and hash(pair) == hash((made, 70_000))
assert {euros}.pop() is euros and "10 \u20ac" in {euros}
class Kept: pass
sys.kept = Kept()
setattr(Kept, text, 1)
setattr(sys.kept, text, 2)
setattr(sys, text, {text: euros, data: pair, pair: text})
setattr(sys, euros, [sys.kept, pair, Kept])
sys.intern(text), sys.intern(euros)
assert sys.intern(made) is sys.intern("".join(made)) and getattr(sys.kept, made) == 2
sys.modules[text] = sys
)";

PyThreadState* new_interpreter_with_own_gil() {
  const PyInterpreterConfig config = {
      .use_main_obmalloc = 0,
      .allow_fork = 0,
      .allow_exec = 0,
      .allow_threads = 1,
      .allow_daemon_threads = 0,
      .check_multi_interp_extensions = 1,
      .gil = PyInterpreterConfig_OWN_GIL,
  };
  PyThreadState* state = nullptr;
  const PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  return state;
}

bool is_interned(PyObject* name, const char* content) {
  PyObject* own = PyUnicode_InternFromString(content);
  Py_DECREF(own);  // the interpreter's table or binary keeps it
  return name == own;
}

// Whether a type that learns of __len__ by this name has a length.
bool makes_a_length(PyObject* name) {
  const Strong type = testing::evaluate("type('Type', (), {})");
  const Strong function = testing::evaluate("lambda self: 5");
  require(PyObject_SetAttr(type.get(), name, function.get()) == 0, "the attribute is set");
  const Strong instance = PyObject_CallNoArgs(type.get());
  const Py_ssize_t size = PyObject_Size(instance.get());
  PyErr_Clear();
  return size == 5;
}

void finalize() { require(Py_FinalizeEx() == 0, "the interpreter ends well"); }

const Program exits("exits", [] {
  testing::start_python();
  run_with_literals(kUse);
  finalize();
});
TEST(LiteralLife, AtExit) { EXPECT_TRUE(passes(exits)); }

const Program starts_again("starts again", [] {
  for (const char* seed : {"1", "2", "3"}) {
    setenv(testing::kHashSeedVariable, seed, 1);
    testing::start_python();
    run_with_literals(kUse);
    require(prepare_names(), "there is memory");
    require(is_interned(Name<"a_name_of_the_test">::get(), "a_name_of_the_test"),
            "the name is this interpreter's own");
    run_with_literals(kUse);
    finalize();
  }
});
TEST(LiteralLife, WhenTheInterpreterIsStartedAgain) { EXPECT_TRUE(passes(starts_again)); }

const Program names_before("names before", [] {
  PyObject* const early = Name<"a_name_of_the_test">::get();
  require(early != nullptr, "it is there before the interpreter");
  testing::start_python();
  require(testing::repr(early) == "'a_name_of_the_test'", "it is a str");
  require(!is_interned(early, "a_name_of_the_test"), "the interpreter has another");
  require(Name<"a_name_of_the_test">::get() == early, "nothing changes by itself");
  require(prepare_names(), "there is memory");
  require(is_interned(Name<"a_name_of_the_test">::get(), "a_name_of_the_test"), "now it has not");
  require(is_interned(Name<"x">::get(), "x"), "of one character");
  require(is_interned(Name<"\u20ac">::get(), "\u20ac"), "not of ASCII");
  require(makes_a_length(Name<"__len__">::get()), "of a special method");
  require(testing::equal(early, Name<"a_name_of_the_test">::get()), "the early one stays good");
  finalize();
});
TEST(LiteralLife, NamesBeforeAndAfterTheyArePrepared) { EXPECT_TRUE(passes(names_before)); }

const Program names_elsewhere("names elsewhere", [] {
  testing::start_python();
  PyThreadState* const main = PyThreadState_Get();
  PyObject* const early = Name<"a_name_of_the_test">::get();

  PyThreadState* other = new_interpreter_with_own_gil();
  require(prepare_names(), "there is memory");
  require(Name<"a_name_of_the_test">::get() == early, "no interpreter's str is in the slot");
  require(makes_a_length(Name<"__len__">::get()), "of a special method, in another interpreter");
  require(makes_a_length(new_name("__len__", 7)), "and when it is known at run time only");
  require(is_interned(Name<"x">::get(), "x"), "what lies in the binary is everybody's");
  Py_EndInterpreter(other);

  PyThreadState_Swap(main);
  require(makes_a_length(Name<"__len__">::get()), "of a special method");
  require(prepare_names(), "there is memory");
  PyObject* const prepared = Name<"a_name_of_the_test">::get();
  require(is_interned(prepared, "a_name_of_the_test"), "in the main interpreter its own");

  other = new_interpreter_with_own_gil();
  require(prepare_names(), "there is memory");
  require(Name<"a_name_of_the_test">::get() == prepared, "others do not take that away");
  require(makes_a_length(Name<"__len__">::get()), "of a special method");
  Py_EndInterpreter(other);

  PyThreadState_Swap(main);
  require(Name<"a_name_of_the_test">::get() == prepared, "nor when they end");
  finalize();
});
TEST(LiteralLife, NamesInOtherInterpreters) { EXPECT_TRUE(passes(names_elsewhere)); }

const Program several("several", [] {
  testing::start_python();
  constexpr int kInterpreters = 4;
  PyThreadState* const main = PyEval_SaveThread();
  std::vector<std::thread> threads;
  for (int i = 0; i < kInterpreters; ++i) {
    threads.emplace_back([] {
      // A thread state of the main interpreter, to make another one from.
      const PyGILState_STATE attached = PyGILState_Ensure();
      PyThreadState* const before = PyThreadState_Get();
      PyThreadState* const own = new_interpreter_with_own_gil();
      for (int turn = 0; turn < 20; ++turn) {
        require(prepare_names(), "there is memory");
        run_with_literals(kUse);
      }
      require(PyThreadState_Get() == own, "it is attached to its own");
      Py_EndInterpreter(own);
      PyEval_RestoreThread(before);
      PyGILState_Release(attached);
    });
  }
  for (std::thread& thread : threads) thread.join();
  PyEval_RestoreThread(main);
  run_with_literals(kUse);
  finalize();
});
TEST(LiteralLife, InSeveralInterpretersAtOnce) { EXPECT_TRUE(passes(several)); }

const Program threads_of_one("threads of one", [] {
  testing::start_python();
  PyThreadState* const main = PyEval_SaveThread();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      const PyGILState_STATE attached = PyGILState_Ensure();
      run_with_literals(R"(
made = " ".join(["a", "literal", "of", "the", "test"])
for _ in range(1000):
    assert hash(pair) == hash((made, 70_000)) and {text: 1}[made] == 1 and hash(data)
    assert euros.encode() == b"10 \xe2\x82\xac" and [*pair, pair][2] is pair
)");
      PyGILState_Release(attached);
    });
  }
  for (std::thread& thread : threads) thread.join();
  PyEval_RestoreThread(main);
  finalize();
});
TEST(LiteralLife, InThreadsOfOneInterpreter) { EXPECT_TRUE(passes(threads_of_one)); }

const Program forks("forks", [] {
  testing::start_python();
  require(prepare_names(), "there is memory");
  PyObject* const name = Name<"a_name_of_the_test">::get();
  PyOS_BeforeFork();
  const pid_t child = fork();
  if (child == 0) {
    PyOS_AfterFork_Child();
    run_with_literals(kUse);
    require(Name<"a_name_of_the_test">::get() == name, "the child has its parent's names");
    require(prepare_names(), "there is memory");
    require(Name<"a_name_of_the_test">::get() == name, "also when they are prepared again");
    finalize();
    _exit(0);
  }
  PyOS_AfterFork_Parent();
  run_with_literals(kUse);
  int status = 0;
  require(waitpid(child, &status, 0) == child && status == 0, "the child ended well");
  finalize();
});
TEST(LiteralLife, AcrossAFork) { EXPECT_TRUE(passes(forks)); }

}  // namespace
}  // namespace tenure
