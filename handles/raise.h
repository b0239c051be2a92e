// Setting Python errors:
//
//   return raise_type_error("expected a str, got %T", object);
//   return raise(my_error, "%s has no point %zd", name, i);
//   return raise_from_error(PyExc_RuntimeError, "no polygons in %R", path);
//
// The format is PyErr_Format's (PyUnicode_FromFormat's), and is checked against the arguments when
// it is compiled: handles go where it says %R, %S, %A, %U, %T or %N, std::string and char* where it
// says %s, integers of the right size and sign to the others. It knows no floating-point numbers.
//
// All of them answer Failed, which turns into what a function answers on errors. What is already
// set is replaced; as in Python, the context of the new error is the exception that is being
// handled, not the one that was set.
//
// Not for: C++ code that may throw; there, what() of any std::exception becomes a Python error by
// itself (handles/translate.h).
//
// Thread safety: attached for everything. If there is no memory for it, a MemoryError is set
// instead. Formats with %R, %S or %A run Python code, and what that raises is set instead.
#ifndef TENURE_HANDLES_RAISE_H_
#define TENURE_HANDLES_RAISE_H_

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "tenure/handles/exception.h"

namespace tenure {

namespace internal {

enum class FormatKind : unsigned char { kSigned, kUnsigned, kText, kObject, kPointer, kNone };

struct FormatArgument {
  FormatKind kind;
  unsigned char size;
};

template <typename T>
consteval FormatArgument format_argument_of() {
  using D = std::decay_t<T>;
  if constexpr (std::derived_from<D, Object> || std::same_as<D, PyObject*> ||
                std::same_as<D, PyTypeObject*>) {
    return {FormatKind::kObject, sizeof(void*)};
  } else if constexpr (std::same_as<D, const char*> || std::same_as<D, char*> ||
                       std::same_as<D, std::string>) {
    return {FormatKind::kText, sizeof(void*)};
  } else if constexpr (std::is_pointer_v<D>) {
    return {FormatKind::kPointer, sizeof(void*)};
  } else if constexpr (std::is_integral_v<D>) {
    // What is smaller than an int becomes one on its way.
    using Passed = decltype(+D());
    return {std::is_signed_v<Passed> ? FormatKind::kSigned : FormatKind::kUnsigned, sizeof(Passed)};
  } else {
    return {FormatKind::kNone, 0};
  }
}

// Neither is defined: that a constant expression calls one is the compiler's message.
void format_does_not_fit_its_arguments();
void format_has_another_number_of_arguments();

template <size_t kCount>
consteval void check_format(const char* text, const FormatArgument (&arguments)[kCount]) {
  size_t next = 0;
  const auto take = [&]() -> FormatArgument {
    if (next + 1 >= kCount) {
      format_has_another_number_of_arguments();
      return {FormatKind::kNone, 0};
    }
    return arguments[next++];
  };
  const auto need = [](bool fits) {
    if (!fits) format_does_not_fit_its_arguments();
  };
  const auto number = [&] {  // of a width or precision
    if (*text == '*') {
      ++text;
      const FormatArgument argument = take();
      need(argument.kind == FormatKind::kSigned && argument.size == sizeof(int));
    }
    while (*text >= '0' && *text <= '9') ++text;
  };
  while (*text != '\0') {
    if (*text++ != '%') continue;
    if (*text == '%') {
      ++text;
      continue;
    }
    while (*text == '-' || *text == '0' || *text == '#') ++text;
    number();
    if (*text == '.') {
      ++text;
      number();
    }
    size_t size = sizeof(int);
    if (*text == 'l') {
      size = sizeof(long);  // NOLINT(google-runtime-int): what the letter means
      if (*++text == 'l') {
        ++text;
        size = sizeof(long long);  // NOLINT(google-runtime-int)
      }
    } else if (*text == 'z' || *text == 't' || *text == 'j') {
      size = sizeof(Py_ssize_t);
      ++text;
    }
    const FormatArgument argument = take();
    switch (*text) {
      case 'd':
      case 'i':
        need(argument.kind == FormatKind::kSigned && argument.size == size);
        break;
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        need(argument.kind == FormatKind::kUnsigned && argument.size == size);
        break;
      case 'c':
        need(argument.kind == FormatKind::kSigned && argument.size == sizeof(int));
        break;
      case 's':
        need(argument.kind == FormatKind::kText);
        break;
      case 'p':
        need(argument.kind == FormatKind::kPointer || argument.kind == FormatKind::kObject);
        break;
      case 'V':  // an object or null, and a text for the latter
        need(argument.kind == FormatKind::kObject && take().kind == FormatKind::kText);
        break;
      case 'A':
      case 'N':
      case 'R':
      case 'S':
      case 'T':
      case 'U':
        need(argument.kind == FormatKind::kObject);
        break;
      default:
        need(false);
    }
    if (*text != '\0') ++text;
  }
  if (next + 1 != kCount) format_has_another_number_of_arguments();
}

// What goes through the ellipsis.
template <typename T>
auto format_argument(const T& argument) {
  if constexpr (std::derived_from<T, Object>) {
    return argument.get();
  } else if constexpr (std::same_as<T, std::string>) {
    return argument.c_str();
  } else {
    return static_cast<std::decay_t<const T&>>(argument);
  }
}

}  // namespace internal

// A literal that fits the arguments, or does not compile.
template <typename... Args>
class ErrorFormat {
 public:
  consteval ErrorFormat(const char* text) : text_(text) {  // NOLINT(google-explicit-constructor)
    // One more, because there is no array of none.
    internal::check_format(text, {internal::format_argument_of<Args>()...,
                                  internal::FormatArgument{internal::FormatKind::kNone, 0}});
  }

  const char* text() const { return text_; }

 private:
  const char* text_;
};

// Sets an error of that type. Requires: a type of exceptions; anything else becomes a SystemError.
template <typename... Args>
[[gnu::cold]] Failed raise(ErrorType type, ErrorFormat<std::type_identity_t<Args>...> format,
                           const Args&... args) {
  PyErr_Format(type.get(), format.text(), internal::format_argument(args)...);
  return {};
}

// `raise type from cause`. Steals the cause.
template <typename... Args>
[[gnu::cold]] Failed raise_from(Owned<Exception>&& cause, ErrorType type,
                                ErrorFormat<std::type_identity_t<Args>...> format,
                                const Args&... args) {
  Owned<Exception> taken = std::move(cause);
  raise(type, format, args...);
  return chain_error(std::move(taken));
}

// The same with the error that is set as the cause, if one is.
template <typename... Args>
[[gnu::cold]] Failed raise_from_error(ErrorType type,
                                      ErrorFormat<std::type_identity_t<Args>...> format,
                                      const Args&... args) {
  std::optional<Owned<Exception>> cause = take_error();
  raise(type, format, args...);
  return cause ? chain_error(std::move(*cause)) : Failed{};
}

// `raise type(argument)`: also where the argument is a tuple, which PyErr_SetObject() would take
// apart. Runs Python code.
[[gnu::cold]] inline Failed raise_object(ErrorType type, const Object& argument) {
  Result<> error = PyObject_CallOneArg(type.get(), argument.get());
  if (error) PyErr_SetObject(type.get(), error.get());
  return {};
}

// KeyError(key), StopIteration(value).
[[gnu::cold]] inline Failed raise_key_error(const Object& key) {
  return raise_object(PyExc_KeyError, key);
}
[[gnu::cold]] inline Failed raise_stop_iteration(const Object& value) {
  return raise_object(PyExc_StopIteration, value);
}
[[gnu::cold]] inline Failed raise_stop_iteration() {
  PyErr_SetNone(PyExc_StopIteration);
  return {};
}

[[gnu::cold]] inline Failed raise_memory_error() {
  PyErr_NoMemory();
  return {};
}

// The OSError for that errno: FileNotFoundError and the like.
[[gnu::cold]] inline Failed raise_os_error(int error_number) {
  errno = error_number;
  PyErr_SetFromErrno(PyExc_OSError);
  return {};
}

template <typename... Args>
Failed raise_type_error(ErrorFormat<std::type_identity_t<Args>...> format, const Args&... args) {
  return raise<Args...>(PyExc_TypeError, format, args...);
}
template <typename... Args>
Failed raise_value_error(ErrorFormat<std::type_identity_t<Args>...> format, const Args&... args) {
  return raise<Args...>(PyExc_ValueError, format, args...);
}
template <typename... Args>
Failed raise_overflow_error(ErrorFormat<std::type_identity_t<Args>...> format,
                            const Args&... args) {
  return raise<Args...>(PyExc_OverflowError, format, args...);
}
template <typename... Args>
Failed raise_index_error(ErrorFormat<std::type_identity_t<Args>...> format, const Args&... args) {
  return raise<Args...>(PyExc_IndexError, format, args...);
}
template <typename... Args>
Failed raise_attribute_error(ErrorFormat<std::type_identity_t<Args>...> format,
                             const Args&... args) {
  return raise<Args...>(PyExc_AttributeError, format, args...);
}
template <typename... Args>
Failed raise_runtime_error(ErrorFormat<std::type_identity_t<Args>...> format, const Args&... args) {
  return raise<Args...>(PyExc_RuntimeError, format, args...);
}
template <typename... Args>
Failed raise_buffer_error(ErrorFormat<std::type_identity_t<Args>...> format, const Args&... args) {
  return raise<Args...>(PyExc_BufferError, format, args...);
}

}  // namespace tenure

#endif  // TENURE_HANDLES_RAISE_H_
