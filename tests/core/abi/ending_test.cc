#include "tenure/core/abi/ending.h"

#include <thread>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;

TEST(EndingTest, KnowsTheRuntime) {
  ASSERT_TRUE(knows_runtime());
  EXPECT_FALSE(is_ending());
  EXPECT_FALSE(shows_its_end());
}

TEST(EndingTest, MainThread) {
  EXPECT_TRUE(is_main_thread());
  const Strong names = testing::run("import threading\n");
  bool elsewhere = true;
  PyThreadState* const state = PyEval_SaveThread();
  std::thread([&] {
    const PyGILState_STATE own = PyGILState_Ensure();
    elsewhere = is_main_thread();
    PyGILState_Release(own);
  }).join();
  PyEval_RestoreThread(state);
  EXPECT_FALSE(elsewhere);
}

TEST(EndingTest, Callbacks) {
  const Strong callbacks = evaluate("__import__('gc').callbacks");
  EXPECT_EQ(collector_callbacks(), callbacks.get());
}

TEST(EndingTest, Interrupts) {
  EXPECT_TRUE(ends_as_interrupt(evaluate("KeyboardInterrupt()").get()));
  EXPECT_FALSE(ends_as_interrupt(evaluate("SystemExit()").get()));
}

TEST(EndingTest, FilesThatOthersHold) {
  const Strong names = testing::run(
      "import io, os, threading\n"
      "read, write = os.pipe()\n"
      "for kind in 'BufferedWriter', 'BufferedRandom', 'BufferedReader': globals()[kind] = "
      "getattr(io, kind)\n"
      "writer = io.BufferedWriter(io.FileIO(write, 'w'), 1000)\n"
      "sizes = [io.BufferedWriter(io.FileIO(os.devnull, 'w'), size) for size in (1, 2, 3, 4096, "
      "8192, 131072)]\n"
      "thread = threading.Thread(target=writer.write, args=(b'x' * 10_000_000,))\n"
      "def read_all(file):\n"
      "  with file:\n"
      "    while file.read(1 << 20): pass\n"
      "reader = threading.Thread(target=read_all, args=(open(read, 'rb', 0),))\n");
  const auto name = [&](const char* of) { return PyDict_GetItemString(names.get(), of); };
  const auto call = [&](const char* of, const char* method) {
    EXPECT_TRUE(Strong(PyObject_CallMethod(name(of), method, nullptr))) << of << '.' << method;
  };
  auto* const type = reinterpret_cast<PyTypeObject*>(name("BufferedWriter"));
  EXPECT_FALSE(is_held_by_other(name("writer"), type));
  for (Py_ssize_t i = 0; i < PyList_Size(name("sizes")); ++i) {
    EXPECT_FALSE(is_held_by_other(PyList_GetItem(name("sizes"), i), type));
  }
  call("thread", "start");
  // Once the thread has filled the pipe it waits for good.
  const Strong waited = testing::run("import time\ntime.sleep(0.2)\n");
  bool held = false;
  for (int i = 0; i < 300 && !held; ++i) {
    held = is_held_by_other(name("writer"), type);
    const Strong again = testing::run("import time\ntime.sleep(0.1)\n");
  }
  EXPECT_TRUE(held);
  call("reader", "start");
  call("thread", "join");
  EXPECT_FALSE(is_held_by_other(name("writer"), type));
  // The end of what there is to read.
  call("writer", "close");
  call("reader", "join");
}

}  // namespace
}  // namespace tenure::abi
