// Exception: the view of Python exceptions, and the one that is set: taking it, matching, chaining.
//
// Everything here is without C++ exceptions:
//
//   Result<> value = PyObject_GetItem(mapping, key);
//   if (!value && error_matches(PyExc_KeyError)) {
//     clear_error();
//     ...
//
// Not for: asking whether a call has failed; its Result says so, and costs nothing. Setting errors:
// handles/raise.h. Throwing them: handles/error.h.
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_EXCEPTION_H_
#define TENURE_HANDLES_EXCEPTION_H_

#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>

#include "tenure/handles/object.h"

namespace tenure {

// A type of exceptions, or where types are compared a tuple of them: any handle, or one of the C
// API's PyExc_ pointers. For parameters; borrows.
class ErrorType {
 public:
  ErrorType(const Object& type) : type_(type.get()) {}                  // NOLINT
  ErrorType(PyObject* type) : type_(type) { assert(type != nullptr); }  // NOLINT
  ErrorType(std::nullptr_t) = delete;

  [[nodiscard]] PyObject* get() const { return type_; }

 private:
  PyObject* type_;
};

class Exception : public Object {
 public:
  static constexpr const char* kName = "exception";
  static bool check(PyObject* object) { return PyExceptionInstance_Check(object); }

  // Whether `except type` would catch it. Errors: none; what is no type of exceptions matches
  // nothing.
  [[nodiscard]] bool matches(ErrorType type) const {
    return PyErr_GivenExceptionMatches(get(), type.get()) != 0;
  }

  // New references, or nothing. Errors: none.
  [[nodiscard]] Lookup<Exception> cause() const { return found(PyException_GetCause(get())); }
  [[nodiscard]] Lookup<Exception> context() const { return found(PyException_GetContext(get())); }
  [[nodiscard]] Lookup<> traceback() const {
    PyObject* traceback = PyException_GetTraceback(get());
    return {traceback != nullptr, traceback};
  }

  // What `raise ... from cause` does. Steals; nothing if they are the same.
  void set_cause(Owned<Exception>&& cause) const {
    Owned<Exception> taken = std::move(cause);
    if (taken.is(*this)) return;
    PyException_SetCause(get(), std::move(taken).release());
  }

  // What happened first. Steals; nothing if they are the same.
  void set_context(Owned<Exception>&& context) const {
    Owned<Exception> taken = std::move(context);
    if (taken.is(*this)) return;
    PyException_SetContext(get(), std::move(taken).release());
  }

  // Adds a line to what tracebacks show. Runs Python code. Requires: no Python error is set.
  // Errors: as the method's.
  Result<void> add_note(const char* utf8) const {
    const Result<> done = PyObject_CallMethod(get(), "add_note", "s", utf8);
    if (!done) return Failed{};
    return {};
  }

 protected:
  using Object::Object;

 private:
  static Lookup<Exception> found(PyObject* exception) { return {exception != nullptr, exception}; }
};

// Whether a Python error is set.
inline bool error_is_set() { return PyErr_Occurred() != nullptr; }

// Whether `except type` would catch the error that is set. Requires: one is. Errors: none.
inline bool error_matches(ErrorType type) {
  assert(error_is_set());
  return PyErr_ExceptionMatches(type.get()) != 0;
}

// Does nothing if none is set. Runs the destructors of what only the error held.
inline void clear_error() { PyErr_Clear(); }

// The error that is set, or nothing if none is; none is set afterwards.
inline std::optional<Owned<Exception>> take_error() {
  PyObject* error = PyErr_GetRaisedException();
  if (error == nullptr) return std::nullopt;
  return Owned<Exception>::steal(error);
}

// Sets an error that was taken, with the traceback it has. Replaces one that is set. Steals.
inline Failed set_error(Owned<Exception>&& error) {
  PyErr_SetRaisedException(std::move(error).release());
  return {};
}

// Makes `cause` the cause of the error that is set, and its context if it has none. Steals.
// Requires: an error is set.
inline Failed chain_error(Owned<Exception>&& cause) {
  Owned<Exception> taken = std::move(cause);
  std::optional<Owned<Exception>> error = take_error();
  assert(error);
  if (!error->context()) error->set_context(taken.new_ref());
  error->set_cause(std::move(taken));
  return set_error(std::move(*error));
}

// Adds a note to the error that is set; one that cannot be added is left out. Requires: an error is
// set. Runs Python code.
inline Failed note_error(const char* utf8) {
  std::optional<Owned<Exception>> error = take_error();
  assert(error);
  if (!error->add_note(utf8)) clear_error();
  return set_error(std::move(*error));
}

// Puts the error that is set, if one is, aside for as long as it lives, and sets it again: around
// cleaning up, which may use Python meanwhile. An error that is set then is dropped.
class [[nodiscard]] ErrorAside {
 public:
  ErrorAside() : error_(PyErr_GetRaisedException()) {}
  ~ErrorAside() { PyErr_SetRaisedException(error_); }
  ErrorAside(const ErrorAside&) = delete;
  ErrorAside& operator=(const ErrorAside&) = delete;

 private:
  PyObject* error_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_EXCEPTION_H_
