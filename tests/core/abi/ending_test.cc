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
      "thread = threading.Thread(target=writer.write, args=(b'x' * 10_000_000,))\n");
  const auto name = [&](const char* of) { return PyDict_GetItemString(names.get(), of); };
  auto* const type = reinterpret_cast<PyTypeObject*>(name("BufferedWriter"));
  EXPECT_FALSE(is_held_by_other(name("writer"), type));
  for (Py_ssize_t i = 0; i < PyList_Size(name("sizes")); ++i) {
    EXPECT_FALSE(is_held_by_other(PyList_GetItem(name("sizes"), i), type));
  }
  ASSERT_TRUE(Strong(PyObject_CallMethod(name("thread"), "start", nullptr)));
  // Once the thread has filled the pipe it waits for good.
  const Strong waited = testing::run("import time\ntime.sleep(0.2)\n");
  bool held = false;
  for (int i = 0; i < 300 && !held; ++i) {
    held = is_held_by_other(name("writer"), type);
    const Strong again = testing::run("import time\ntime.sleep(0.1)\n");
  }
  EXPECT_TRUE(held);
  const Strong read = name("read") == nullptr ? nullptr : Py_NewRef(name("read"));
  // All that it wants to write.
  const Strong os = evaluate("__import__('os')");
  while (true) {
    const Strong data = PyObject_CallMethod(os.get(), "read", "Oi", read.get(), 1 << 20);
    ASSERT_TRUE(data);
    const Strong alive = PyObject_CallMethod(name("thread"), "is_alive", nullptr);
    if (alive.get() == Py_False || !is_held_by_other(name("writer"), type)) break;
  }
  ASSERT_TRUE(Strong(PyObject_CallMethod(os.get(), "close", "O", read.get())));
  ASSERT_TRUE(Strong(PyObject_CallMethod(name("thread"), "join", nullptr)));
}

}  // namespace
}  // namespace tenure::abi
