// Pools of references that are still there when their interpreter ends. That is an error, which
// debug builds assert; otherwise what they hold is leaked, and nothing is touched.

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"
#include "tenure/pool/reference_pool.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure::pool {
namespace {

using testing::passes;
using testing::Program;
using testing::require;

void fill(ReferencePool& pool) {
  for (int i = 0; i < 1000; ++i) pool.keep(PyList_New(0));
}

// What was kept until shortly before the end is dropped as ever.
const Program ends_in_time("ends_in_time", [] {
  testing::start_python();
  {
    ReferencePool pool;
    fill(pool);
  }
  require(Py_FinalizeEx() == 0, "the interpreter ends");
  testing::start_python();
  {
    ReferencePool pool;
    fill(pool);
    require(ReferencePool::current() == &pool, "a second interpreter has pools");
  }
  require(Py_FinalizeEx() == 0, "the second interpreter ends");
});

TEST(ReferencePoolEndTest, EndsInTime) { EXPECT_TRUE(passes(ends_in_time)); }

// A pool of a function that runs while the interpreter takes its modules apart.
const Program in_a_destructor("in_a_destructor", [] {
  static bool ran = false;
  testing::start_python();
  PyObject* const module = PyImport_AddModule("__main__");
  {
    const Strong mortal = testing::new_mortal([] {
      ReferencePool pool;
      fill(pool);
      ran = true;
    });
    require(PyModule_AddObjectRef(module, "mortal", mortal.get()) == 0, "it is kept");
  }
  require(Py_FinalizeEx() == 0, "the interpreter ends");
  require(ran, "the destructor ran");
});

TEST(ReferencePoolEndTest, InADestructor) { EXPECT_TRUE(passes(in_a_destructor)); }

const Program after_the_end("after_the_end", [] {
  testing::start_python();
  std::optional<ReferencePool> pool;
  pool.emplace();
  fill(*pool);
  require(Py_FinalizeEx() == 0, "the interpreter ends");
  pool.reset();
  require(ReferencePool::statistics().detached == 1000, "they are counted");
});

TEST(ReferencePoolEndTest, AfterTheEnd) { EXPECT_TRUE(passes(after_the_end)); }

const Program with_a_queue("with_a_queue", [] {
  testing::start_python();
  require(DecrefQueue::current() != nullptr, "there is a queue");
  std::optional<ReferencePool> pool;
  pool.emplace();
  fill(*pool);
  require(Py_FinalizeEx() == 0, "the interpreter ends");
  pool.reset();
  require(ReferencePool::statistics().detached == 1000, "they are counted");
});

TEST(ReferencePoolEndTest, AfterTheEndOfAnInterpreterWithAQueue) {
  EXPECT_TRUE(passes(with_a_queue));
}

// In Python 3.13 the thread is ended by unwinding its stack, in later versions it hangs.
const Program in_a_thread_that_python_ends("in_a_thread_that_python_ends", [] {
  testing::start_python();
  std::atomic<bool> ready = false;
  std::thread([&] {
    PyGILState_Ensure();
    ReferencePool pool;
    fill(pool);
    PyThreadState* const state = PyEval_SaveThread();
    ready = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    while (Py_IsInitialized() != 0) std::this_thread::yield();
    PyEval_RestoreThread(state);
  }).detach();
  PyThreadState* const state = PyEval_SaveThread();
  while (!ready) std::this_thread::yield();
  PyEval_RestoreThread(state);
  require(Py_FinalizeEx() == 0, "the interpreter ends");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
});

TEST(ReferencePoolEndTest, InAThreadThatPythonEnds) {
  EXPECT_TRUE(passes(in_a_thread_that_python_ends));
}

#ifdef NDEBUG
// An error that debug builds assert.
const Program of_a_subinterpreter("of_a_subinterpreter", [] {
  testing::start_python();
  std::optional<ReferencePool> pool;
  {
    testing::Subinterpreter other(testing::Gil::kOwn);
    other.run([&] {
      pool.emplace();
      fill(*pool);
    });
    other.end();
  }
  require(ReferencePool::current() == nullptr, "it is not of the main interpreter");
  pool.reset();
  require(Py_FinalizeEx() == 0, "the interpreter ends");
});

TEST(ReferencePoolEndTest, AfterTheEndOfASubinterpreter) {
  EXPECT_TRUE(passes(of_a_subinterpreter));
}
#endif

}  // namespace
}  // namespace tenure::pool
