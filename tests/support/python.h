// Python for C++ tests: programs that link tests/support:main run with an interpreter started.
//
// Thread safety: every function needs an attached thread, except where it says otherwise.
#ifndef TENURE_TESTS_SUPPORT_PYTHON_H_
#define TENURE_TESTS_SUPPORT_PYTHON_H_

#include <functional>
#include <string>

#include "tenure/core/abi/python.h"
#include "tenure/core/strong.h"
#include "tenure/tests/support/failing_memory.h"

namespace tenure::testing {

// Starts an interpreter that reads neither the environment nor the user's files. The process must
// have none. A number in the environment variable of that name becomes the hash seed.
inline constexpr const char* kHashSeedVariable = "TENURE_TEST_HASH_SEED";
void start_python();

// The value of an expression, evaluated among builtins and `sys`. Ends the program on an error: a
// test whose input is wrong has nothing to say.
Strong evaluate(const std::string& expression);

// The code object of a module with that source, fresh from the compiler. As evaluate() on errors.
Strong compile(const std::string& source, const std::string& file = "sample.py");

// Runs a module's source and answers its namespace, a dict. As evaluate() on errors.
Strong run(const std::string& source);

// The first code object among the constants of `code`: the function or class that a module of one
// statement defines. Borrowed.
PyObject* inner_code(PyObject* code);

// An attribute. As evaluate() on errors.
Strong attribute(PyObject* object, const char* name);

// True if Python's == says so. As evaluate() on errors.
bool equal(PyObject* a, PyObject* b);

// repr(), as UTF-8.
std::string repr(PyObject* object);

// The name of the pending exception's type, which is cleared; empty if there is none.
std::string take_error();

// All references that debug interpreters count; 0 elsewhere.
Py_ssize_t reference_total();

// Runs `body` often enough that what is made once is made, then checks that running it again leaves
// no reference behind. Only debug interpreters can tell.
void expect_no_leak(const std::function<void()>& body);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_PYTHON_H_
