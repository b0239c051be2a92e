// What the test modules of all binding libraries export: functions with our handles.
#ifndef TENURE_TESTS_HANDLES_INTEROP_INTEROP_FUNCTIONS_H_
#define TENURE_TESTS_HANDLES_INTEROP_INTEROP_FUNCTIONS_H_

#include <stdexcept>
#include <utility>

#include "tenure/handles/error.h"
#include "tenure/handles/exception.h"
#include "tenure/handles/object.h"

namespace tenure::testing {

inline Owned<> borrow(Borrowed<> object) { return object.new_ref(); }
inline Owned<> own(Owned<> object) { return object; }
inline Borrowed<> lend(Borrowed<> object) { return object; }
inline Result<> look(const Object& object) { return Py_NewRef(object.get()); }
inline Result<Exception> exception(Borrowed<Exception> error) { return error.new_ref(); }
inline Owned<Exception> own_exception(Owned<Exception> error) { return error; }
inline bool matches(const Exception& error, Borrowed<> type) { return error.matches(type); }

inline Result<> fail_with_result() { return raise_value_error("by a result"); }
inline Result<void> fail_with_nothing(bool fail) {
  if (fail) return raise(PyExc_LookupError, "by nothing");
  return {};
}
inline Owned<> fail_with_exception() {
  raise_key_error(Borrowed<>(Py_None));
  throw_python_error();
}

}  // namespace tenure::testing

#endif  // TENURE_TESTS_HANDLES_INTEROP_INTEROP_FUNCTIONS_H_
