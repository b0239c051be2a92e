// PythonError: a Python error on its way through C++ as an exception.
//
// value_or_throw() of a Result throws it; it holds the Python exception as it was raised, traceback
// and all. Where C++ returns to Python, restore() sets it again (handles/translate.h does that, and
// turns other C++ exceptions into Python's).
//
//   try {
//     Owned<> area = person.getattr("area"_name).value_or_throw();
//   } catch (const PythonError& error) {
//     if (!error.matches(PyExc_AttributeError)) throw;
//   }
//
// It may leave by any way C++ has: through a std::promise, by std::exception_ptr to a thread that
// is not attached, into a log after the interpreter's end. Dropped where its interpreter is not
// attached, its reference is put off (core/decref_queue.h).
//
// Not for: errors that the next line handles (handles/exception.h; a throw takes a microsecond), or
// code without exceptions, where TENURE_TRY passes errors on.
//
// Thread safety: copying, moving, dropping and what() on any thread, attached or not, also after
// the interpreter's end; one thread at a time for each copy. Everything else attached to the
// interpreter of the error.
#ifndef TENURE_HANDLES_ERROR_H_
#define TENURE_HANDLES_ERROR_H_

#include <exception>
#include <utility>

#include "tenure/handles/exception.h"
#include "tenure/handles/object.h"
#include "tenure/handles/raise.h"

namespace tenure {

// Throws the error that is set. Requires: attached; one is set, or it is a SystemError.
// Throws std::bad_alloc, and the error is gone, if there is no memory for it.
[[noreturn]] void throw_python_error();

// Copies share one reference.
class PythonError : public std::exception {
 public:
  // The error that is set, taken away. Requires and throws: as throw_python_error().
  static PythonError take();

  PythonError(const PythonError& other) noexcept;
  PythonError(PythonError&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  PythonError& operator=(PythonError other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~PythonError() override { drop(state_); }

  // The type and the message, as the last line of a traceback; made when it is first asked for
  // while attached, which runs Python code. Before that, or if str() fails, the type's name alone.
  // Stays for as long as any copy. Never fails, sets no Python error. Thread state: any.
  const char* what() const noexcept override;

  // Whether `except type` would catch it.
  [[nodiscard]] bool matches(ErrorType type) const { return value().matches(type); }

  // The exception, borrowed from this. Requires: neither moved from nor restored.
  [[nodiscard]] Borrowed<Exception> value() const;

  // Sets the error again, as it was; replaces one that is set. Requires: as value().
  Failed restore() &&;

 private:
  struct State;

  explicit PythonError(State* state) : state_(state) {}
  static void drop(State* state) noexcept;

  State* state_;  // Null when moved from.
};

}  // namespace tenure

#endif  // TENURE_HANDLES_ERROR_H_
