// Handles for tests of the views: what an expression is, and what an error says.
//
// Thread safety: attached for everything.
#ifndef TENURE_TESTS_HANDLES_SUPPORT_H_
#define TENURE_TESTS_HANDLES_SUPPORT_H_

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/handles/result.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {

// The value of an expression. Ends the program on an error, or if it is no T.
template <View T = Object>
Owned<T> value_of(const std::string& expression) {
  PyObject* value = evaluate(expression).release();
  if (!T::check(value)) Py_FatalError(expression.c_str());
  return Owned<T>::steal(value);
}

// What a module's source calls `name`. As value_of().
template <View T = Object>
Owned<T> defined_in(const std::string& source, const char* name) {
  const Strong names = run(source);
  PyObject* value = PyDict_GetItemString(names.get(), name);
  if (value == nullptr || !T::check(value)) Py_FatalError(name);
  return Owned<T>::steal(Py_NewRef(value));
}

// "TypeError: what it says" of the pending exception, which is cleared; empty if there is none.
inline std::string take_message() {
  const Strong error = PyErr_GetRaisedException();
  if (!error) return "";
  const Strong text = PyObject_Str(error.get());
  return std::string(Py_TYPE(error.get())->tp_name) + ": " + PyUnicode_AsUTF8(text.get());
}

// Runs `body` in this thread, and `other` again and again in another one, attached by turns where
// there is a GIL, and at once where there is none. Leaves other's errors in its thread.
inline void while_another_thread(const std::function<void()>& other,
                                 const std::function<void()>& body) {
  std::atomic<bool> done = false;
  std::thread thread([&] {
    const PyGILState_STATE state = PyGILState_Ensure();
    while (!done) {
      other();
      PyErr_Clear();
      PyThreadState* detached = PyEval_SaveThread();
      PyEval_RestoreThread(detached);
    }
    PyGILState_Release(state);
  });
  body();
  done = true;
  PyThreadState* detached = PyEval_SaveThread();
  thread.join();
  PyEval_RestoreThread(detached);
}

inline std::string repr(const Object& object) { return repr(object.get()); }

}  // namespace tenure::testing

#endif  // TENURE_TESTS_HANDLES_SUPPORT_H_
