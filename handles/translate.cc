#include "tenure/handles/translate.h"

#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <utility>

#include "tenure/core/attach.h"
#include "tenure/handles/error.h"

namespace tenure {

namespace {

constinit std::atomic<const internal::Translator*> translators{nullptr};

// Deeper nesting than this is no help to anybody.
constexpr int kMostNested = 32;

Result<> decode(const char* text) {
  return PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "backslashreplace");
}

void set_message(PyObject* type, const char* text) {
  const Result<> message = decode(text);
  if (message) PyErr_SetObject(type, message.get());
}

// Requires: an error is set.
Owned<Exception> take_set_error() { return Owned<Exception>::steal(PyErr_GetRaisedException()); }

// The errno that a code stands for, or 0.
int errno_of(const std::error_code& code) {
  const std::error_condition condition = code.default_error_condition();
  const bool is_errno = condition.category() == std::generic_category() ||
                        condition.category() == std::system_category();
  return is_errno ? condition.value() : 0;
}

void set_os_error(const std::system_error& error) {
  const int number = errno_of(error.code());
  if (number == 0) {
    set_message(PyExc_RuntimeError, error.what());
    return;
  }
  const Result<> message = decode(error.what());
  if (!message) return;
  const Result<> exception = PyObject_CallFunction(PyExc_OSError, "iO", number, message.get());
  if (exception) PyErr_SetObject(PyExc_OSError, exception.get());
}

Result<> name_of_file(const std::filesystem::path& path) {
  if (path.empty()) return Py_NewRef(Py_None);
  return PyUnicode_DecodeFSDefaultAndSize(path.c_str(),
                                          static_cast<Py_ssize_t>(path.native().size()));
}

void set_file_error(const std::filesystem::filesystem_error& error) {
  const int number = errno_of(error.code());
  if (number == 0) {
    set_message(PyExc_RuntimeError, error.what());
    return;
  }
  // Without the names, which what() has as well.
  const Result<> message = decode(error.code().message().c_str());
  if (!message) return;
  const Result<> first = name_of_file(error.path1());
  if (!first) return;
  const Result<> second = name_of_file(error.path2());
  if (!second) return;
  // The fourth is a number only Windows has.
  const Result<> exception = PyObject_CallFunction(PyExc_OSError, "iOOOO", number, message.get(),
                                                   first.get(), Py_None, second.get());
  if (exception) PyErr_SetObject(PyExc_OSError, exception.get());
}

void set_unknown_error() {
  const std::type_info* type = __cxxabiv1::__cxa_current_exception_type();
  char* name = type != nullptr ? __cxxabiv1::__cxa_demangle(type->name(), nullptr, nullptr, nullptr)
                               : nullptr;
  if (name != nullptr) {
    raise_runtime_error("unknown C++ exception of type %s", static_cast<const char*>(name));
    std::free(name);
  } else {
    raise_runtime_error("unknown C++ exception");
  }
}

// A thread that may not return to Python.
[[noreturn]] void hang() {
  for (;;) pause();
}

// Sets the error for the exception that is being handled, by the rules in the header. Answers what
// was nested in it.
std::exception_ptr set_error_alone() {
  std::exception_ptr nested;
  const auto look_inside = [&nested](const auto& error) {
    if (const auto* holder = dynamic_cast<const std::nested_exception*>(&error)) {
      nested = holder->nested_ptr();
    }
  };
  try {
    throw;
  } catch (const PythonError& error) {
    look_inside(error);
    PythonError(error).restore();
  } catch (const std::bad_alloc&) {
    raise_memory_error();
  } catch (const std::filesystem::filesystem_error& error) {
    look_inside(error);
    set_file_error(error);
  } catch (const std::system_error& error) {
    look_inside(error);
    set_os_error(error);
  } catch (const std::exception& error) {
    look_inside(error);
    PyObject* type = PyExc_RuntimeError;
    if (dynamic_cast<const std::out_of_range*>(&error) != nullptr) {
      type = PyExc_IndexError;
    } else if (dynamic_cast<const std::invalid_argument*>(&error) != nullptr ||
               dynamic_cast<const std::domain_error*>(&error) != nullptr ||
               dynamic_cast<const std::length_error*>(&error) != nullptr ||
               dynamic_cast<const std::range_error*>(&error) != nullptr) {
      type = PyExc_ValueError;
    } else if (dynamic_cast<const std::overflow_error*>(&error) != nullptr) {
      type = PyExc_OverflowError;
    }
    set_message(type, error.what());
  } catch (const std::nested_exception& error) {
    nested = error.nested_ptr();
    set_unknown_error();
  } catch (...) {
    set_unknown_error();
  }
  return nested;
}

void set_error_of_current(int depth);

void set_error_of(const std::exception_ptr& exception, int depth) {
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    set_error_of_current(depth);
  }
}

void set_error_of_current(int depth) {
  std::exception_ptr nested;
  try {
    if (internal::Translator::translate_with_any()) {
      try {
        throw;
      } catch (const std::nested_exception& error) {
        nested = error.nested_ptr();
      } catch (...) {  // NOLINT(bugprone-empty-catch): nothing was nested
      }
    } else {
      nested = set_error_alone();
    }
  } catch (...) {
    // Thrown by a translator, or for want of memory.
    PyErr_Clear();
    nested = set_error_alone();
  }
  if (!error_is_set()) {
    PyErr_SetString(PyExc_SystemError, "a C++ exception was translated into no Python error");
  }
  if (!nested || depth == kMostNested) return;
  Owned<Exception> outer = take_set_error();
  set_error_of(nested, depth + 1);
  Owned<Exception> cause = take_set_error();
  set_error(std::move(outer));
  chain_error(std::move(cause));
}

}  // namespace

namespace internal {

Translator::Translator(Attempt attempt)
    : attempt_(attempt), next_(translators.load(std::memory_order_relaxed)) {
  while (!translators.compare_exchange_weak(next_, this, std::memory_order_release,
                                            std::memory_order_relaxed)) {
  }
}

bool Translator::translate_with_any() {
  for (const Translator* one = translators.load(std::memory_order_acquire); one != nullptr;
       one = one->next_) {
    if (one->attempt_(*one)) return true;
  }
  return false;
}

}  // namespace internal

Failed translate_current_exception() noexcept {
  // No C++ exception, and not attached: the interpreter is unwinding this thread's stack.
  if (__cxxabiv1::__cxa_current_exception_type() == nullptr && !is_attached()) hang();
  std::optional<Owned<Exception>> before = take_error();
  try {
    set_error_of_current(0);
  } catch (...) {
    PyErr_NoMemory();
  }
  if (before) {
    Owned<Exception> error = take_set_error();
    if (!error.context()) error.set_context(std::move(*before));
    set_error(std::move(error));
  }
  return {};
}

}  // namespace tenure
