// What the test module in Cython calls.
#ifndef TENURE_TESTS_HANDLES_INTEROP_CYTHON_FUNCTIONS_H_
#define TENURE_TESTS_HANDLES_INTEROP_CYTHON_FUNCTIONS_H_

#include <stdexcept>

#include "tenure/handles/interop/cython.h"
#include "tenure/tests/handles/interop/interop_functions.h"

namespace tenure::testing {

inline PyObject* cython_borrow(PyObject* object) { return cython::answer(Borrowed<>(object)); }
inline PyObject* cython_own(PyObject* object) {
  return cython::call([&] { return own(Borrowed<>(object).new_ref()); });
}
inline PyObject* cython_exception(PyObject* object) {
  return cython::call([&]() -> Result<Exception> {
    return exception(TENURE_TRY(cython::argument<Exception>(object)));
  });
}
inline PyObject* cython_fail_with_result() { return cython::call(fail_with_result); }
inline PyObject* cython_fail_with_nothing(bool fail) {
  return cython::call([fail] { return fail_with_nothing(fail); });
}
inline PyObject* cython_fail_with_exception() { return cython::call(fail_with_exception); }
inline int throw_out_of_range() { throw std::out_of_range("thrown"); }
inline int throw_key_error() {
  raise_key_error(Borrowed<>(Py_None));
  throw_python_error();
}

}  // namespace tenure::testing

#endif  // TENURE_TESTS_HANDLES_INTEROP_CYTHON_FUNCTIONS_H_
