// Calls functions while the n-th allocation of Python's fails: for test_scarce_memory.py.

#include "tenure/core/abi/python.h"
#include "tenure/tests/support/failing_memory.h"

namespace {

using tenure::testing::FailingMemory;
using tenure::testing::Fails;

// call(function, arguments, keywords, n, once) -> (answer or exception, whether it is the answer,
// how many allocations failed). No bytecode runs between the failures and the function.
PyObject* call(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 5) {
    PyErr_SetString(PyExc_TypeError, "call() takes five arguments");
    return nullptr;
  }
  const long n = PyLong_AsLong(arguments[3]);
  const int once = PyObject_IsTrue(arguments[4]);
  if (PyErr_Occurred() != nullptr) return nullptr;
  PyObject* answer;
  {
    const FailingMemory failing(n, once != 0 ? Fails::kOnce : Fails::kFromThenOn);
    answer = PyObject_Call(arguments[0], arguments[1], arguments[2]);
  }
  PyObject* const error = PyErr_GetRaisedException();
  if (answer != nullptr && error != nullptr) Py_FatalError("an answer and an exception");
  if (answer == nullptr && error == nullptr) Py_FatalError("neither an answer nor an exception");
  return Py_BuildValue("(NOl)", answer != nullptr ? answer : error,
                       answer != nullptr ? Py_True : Py_False, FailingMemory::failures());
}

PyMethodDef methods[] = {{"call", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
                          METH_FASTCALL, nullptr},
                         {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "scarce", nullptr, 0, methods};

}  // namespace

PyMODINIT_FUNC PyInit_scarce() { return PyModuleDef_Init(&definition); }
