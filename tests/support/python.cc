#include "tenure/tests/support/python.h"

#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>

namespace tenure::testing {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  if (PyErr_Occurred()) PyErr_Print();
  Py_FatalError(("test: " + what).c_str());
}

Strong needed(PyObject* object, const std::string& what) {
  if (object == nullptr) give_up(what);
  return object;
}

Strong fresh_namespace() {
  Strong globals = needed(PyDict_New(), "no memory");
  Strong sys = needed(PyImport_ImportModule("sys"), "no sys");
  if (PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins()) < 0 ||
      PyDict_SetItemString(globals.get(), "sys", sys.get()) < 0) {
    give_up("no namespace");
  }
  return globals;
}

}  // namespace

void start_python() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  if (const char* seed = std::getenv(kHashSeedVariable)) {
    config.use_hash_seed = 1;
    config.hash_seed = std::strtoul(seed, nullptr, 10);
  }
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
}

Strong evaluate(const std::string& expression) {
  const Strong globals = fresh_namespace();
  return needed(PyRun_String(expression.c_str(), Py_eval_input, globals.get(), globals.get()),
                expression);
}

Strong compile(const std::string& source, const std::string& file) {
  return needed(Py_CompileString(source.c_str(), file.c_str(), Py_file_input), source);
}

Strong run(const std::string& source) {
  Strong globals = fresh_namespace();
  const Strong done =
      needed(PyRun_String(source.c_str(), Py_file_input, globals.get(), globals.get()), source);
  return globals;
}

PyObject* inner_code(PyObject* code) {
  const Strong constants = attribute(code, "co_consts");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants.get()); ++i) {
    PyObject* constant = PyTuple_GET_ITEM(constants.get(), i);
    if (PyCode_Check(constant)) return constant;
  }
  give_up("no code among the constants");
}

Strong attribute(PyObject* object, const char* name) {
  return needed(PyObject_GetAttrString(object, name), name);
}

bool equal(PyObject* a, PyObject* b) {
  const int answer = PyObject_RichCompareBool(a, b, Py_EQ);
  if (answer < 0) give_up("cannot be compared");
  return answer != 0;
}

std::string repr(PyObject* object) {
  const Strong text = needed(PyObject_Repr(object), "repr()");
  const char* utf8 = PyUnicode_AsUTF8(text.get());
  if (utf8 == nullptr) give_up("repr() is not UTF-8");
  return utf8;
}

std::string take_error() {
  const Strong error = PyErr_GetRaisedException();
  return error ? Py_TYPE(error.get())->tp_name : "";
}

Py_ssize_t reference_total() {
  // A function of debug builds only; the result is an int, made before it is counted.
  PyObject* total = PySys_GetObject("gettotalrefcount");
  if (total == nullptr) return 0;
  const Strong count = needed(PyObject_CallNoArgs(total), "gettotalrefcount()");
  return PyLong_AsSsize_t(count.get());
}

void expect_no_leak(const std::function<void()>& body) {
  auto settled_total = [] {
    PyGC_Collect();
    PyType_ClearCache();  // it keeps the names of attributes that were looked up
    return reference_total();
  };
  for (int i = 0; i < 3; ++i) body();
  const Py_ssize_t before = settled_total();
  constexpr int kRuns = 4;
  for (int i = 0; i < kRuns; ++i) body();
  // Another cache may move by a reference or two; a leak comes again with every run.
  EXPECT_LT(settled_total() - before, kRuns);
}

}  // namespace tenure::testing
