// Functions with our handles inside, called from Cython, and what their declarations there say.
//
// Cython counts by one rule: arguments that are `object` are borrowed for the call, what a function
// answers that is `object` is a new reference, and null means that an error is set. That is what
// PyObject* means in C; so a function for Cython takes and answers PyObject*, and is two calls away
// from ours:
//
//   // names.h
//   inline PyObject* first_name(PyObject* person, PyObject* separator) {
//     return cython::call([&]() -> Result<Str> {
//       Borrowed<Str> text = TENURE_TRY(cython::argument<Str>(separator));
//       ...
//     });
//   }
//
//   # names.pyx
//   cdef extern from "names.h":
//       object first_name(object person, object separator)
//
// No `except +`: call() lets no C++ exception out. Functions that may throw and are called directly
// are declared with our translation, which keeps PythonErrors as they are:
//
//   from tenure_handles cimport translate_current_exception   # handles/interop/tenure_handles.pxd
//
//   cdef extern from "names.h":
//       double area(object polygon) except +translate_current_exception
//
// Not for: C++ objects as members of cdef classes; an Owned has no value to begin with.
//
// Thread safety: attached, that is, not in a function of Cython's that is declared nogil.
#ifndef TENURE_HANDLES_INTEROP_CYTHON_H_
#define TENURE_HANDLES_INTEROP_CYTHON_H_

#include <cassert>
#include <concepts>
#include <utility>

#include "tenure/handles/error.h"
#include "tenure/handles/object.h"
#include "tenure/handles/raise.h"
#include "tenure/handles/translate.h"

namespace tenure::cython {

// An argument, borrowed for the call. Requires: not null. Errors: TypeError if it is no T.
template <View T = Object>
Result<Borrowed<T>> argument(PyObject* object) {
  assert(object != nullptr);
  if (!T::check(object)) [[unlikely]] {
    return raise_type_error("expected %s, got %.200s", T::kName, Py_TYPE(object)->tp_name);
  }
  return Borrowed<T>(object);
}

// What `object` is as an answer: a new reference. Each gives away what it is given; a Result with
// an error is null.
template <View T>
PyObject* answer(Owned<T>&& owner) {
  return std::move(owner).release();
}
template <View T>
PyObject* answer(Borrowed<T> borrowed) {
  return borrowed.new_ref().release();
}
template <View T>
PyObject* answer(Result<T>&& result) {
  return std::move(result).release();
}
inline PyObject* answer(const Result<void>& result) {
  return result ? Py_NewRef(Py_None) : nullptr;
}

// answer() of what a function of ours answers; a C++ exception becomes a Python error.
template <std::invocable Function>
PyObject* call(Function&& function) noexcept {
  try {
    return answer(std::forward<Function>(function)());
  } catch (...) {
    return translate_current_exception();
  }
}

}  // namespace tenure::cython

#endif  // TENURE_HANDLES_INTEROP_CYTHON_H_
