// C++ exceptions where C++ returns to Python:
//
//   PyObject* area(PyObject* self, PyObject* argument) {
//     try {
//       ...
//     } catch (...) {
//       return translate_current_exception();
//     }
//   }
//
//   PythonError                                       what it holds, as it was raised
//   std::bad_alloc                                    MemoryError
//   std::out_of_range                                 IndexError
//   std::invalid_argument, domain_, length_, range_error   ValueError
//   std::overflow_error                               OverflowError
//   std::filesystem::filesystem_error                 OSError with errno and the names of the files
//   std::system_error that stands for an errno        OSError with errno: FileNotFoundError and so
//   on any other std::exception                          RuntimeError anything else RuntimeError
//
// Messages are what() says, bytes that are not UTF-8 as \xNN. What std::throw_with_nested() nested
// becomes the __cause__.
//
// Exceptions of one's own, or of other libraries, are told to it once for a module, and looked at
// before the rules above:
//
//   const TranslateException<ParseError> translate_parse_error([](const ParseError& error) {
//     return raise(PyExc_SyntaxError, "line %d: %s", error.line(), error.what());
//   });
//
// All of this costs nothing while nothing is thrown, and each TranslateException that is asked
// costs a rethrow, some microseconds. They belong to the extension module that they are linked
// into; others do not see them.
//
// Not for: destructors and other code that nobody calls from Python: report there, with
// PyErr_WriteUnraisable().
//
// Thread safety: attached for translating. A TranslateException is made once, as a static object,
// which is when the module is loaded, and lives as long as the module.
#ifndef TENURE_HANDLES_TRANSLATE_H_
#define TENURE_HANDLES_TRANSLATE_H_

#include "tenure/handles/result.h"

namespace tenure {

// Sets the Python error for the C++ exception that is being handled. One that is set already
// becomes its context. Never fails: what goes wrong meanwhile is the error then. Requires: inside a
// catch block; attached.
//
// A thread that 3.13 ends when the interpreter does, unwinding its stack as pthread_exit() does,
// may not return to Python: it stays in here, as later versions let it hang by themselves.
[[gnu::cold]] Failed translate_current_exception() noexcept;

namespace internal {

class Translator {
 public:
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  // Whether one of them knew the exception that is being handled, and has set an error. The last
  // that was made is asked first.
  static bool translate_with_any();

 protected:
  // Rethrows; true if it knew the exception.
  using Attempt = bool (*)(const Translator& self);

  explicit Translator(Attempt attempt);
  ~Translator() = default;

 private:
  const Attempt attempt_;
  const Translator* next_;
};

}  // namespace internal

template <typename E>
class TranslateException : internal::Translator {
 public:
  // Sets an error: answers what raise() does. May throw, which is then translated in its place.
  using Function = Failed (*)(const E& error);

  // Requires: a static object.
  explicit TranslateException(Function function) : Translator(&attempt), function_(function) {}

 private:
  static bool attempt(const Translator& self) {
    try {
      throw;
    } catch (const E& error) {
      static_cast<const TranslateException&>(self).function_(error);
      return true;
    } catch (...) {
      return false;
    }
  }

  const Function function_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_TRANSLATE_H_
