// What is known of a bound function when it runs: for arguments out of the ordinary, for error
// messages, and for documentation.
//
// A record is of static storage, written by the first import of its module in the process, and
// only read afterwards. Of each parameter the name is an immortal str (core/names.h).
//
// Thread safety: prepare() under the module's lock (module.h); the rest attached.
#ifndef TENURE_HANDLES_BIND_RECORD_H_
#define TENURE_HANDLES_BIND_RECORD_H_

#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::bind {

// How a C++ type is passed: what error messages and stubs say of it. Those of a class are known
// when it is bound.
struct Passed {
  const char* const* expected;
  const char* const* annotation;
  bool or_none;
};

// A C function and the flags that say how CPython calls it.
struct Convention {
  constexpr Convention(PyCFunction called, int of_these) : plain(called), flags(of_these) {}
  constexpr explicit Convention(PyCFunctionFast called) : fast(called), flags(METH_FASTCALL) {}
  constexpr explicit Convention(PyCFunctionFastWithKeywords called)
      : keywords(called), flags(METH_FASTCALL | METH_KEYWORDS) {}

  [[nodiscard]] PyCFunction function() const;

  union {
    PyCFunction plain;
    PyCFunctionFast fast;
    PyCFunctionFastWithKeywords keywords;
  };
  int flags;
};

// A word of def(), whatever its type was.
struct Word {
  enum class Kind : unsigned char { kArg, kDoc, kOther } kind;
  const char* text;
  // The default as a new reference, for the documentation; null if there is none.
  PyObject* (*show_default)(const void* value);
  const void* value;
};

struct FunctionRecord {
  // Known when it is compiled.
  const Passed* const* passed = nullptr;
  PyObject** names = nullptr;  // Of the parameters, as strs; null where they have none.
  const Passed* answered = nullptr;
  Convention convention;
  unsigned short count = 0;
  unsigned short positional_only = 0;  // The first so many.
  unsigned short positional = 0;       // The first so many may be passed by position.
  bool takes_all = false;              // It sees its arguments as they come.

  // Set by prepare().
  unsigned long long defaults = 0;  // A bit for each parameter that has one.
  const char* name = nullptr;
  const char* owner = nullptr;      // The class, or null.
  const char* doc = nullptr;        // What the author wrote, or null.
  const char* signature = nullptr;  // "self, x: int, y: float = 2.0, /", for stubs.
  PyMethodDef method = {};

  [[nodiscard]] bool has_default(size_t parameter) const {
    return (defaults >> parameter & 1) != 0;
  }

  // Sets what depends on the words of def(). `self` is what a stub calls the first parameter, or
  // null; `flags` are more than the convention's. False with a Python error set. Requires:
  // attached.
  bool prepare(const char* of_class, const char* self, int flags, const char* called,
               const Word* words, size_t word_count);
};

// How many parameters a function can have.
inline constexpr size_t kMostParameters = 64;

// The arguments in the order of the parameters, null where the default is to be used: where they
// were given if that is their order, else in `slots`. Borrows. Null with a TypeError set that says
// what is wrong in CPython's words.
PyObject* const* arrange(const FunctionRecord& record, PyObject* const* arguments,
                         Py_ssize_t positional, PyObject* kwnames, PyObject** slots);

// A tuple and a dict or null, as tp_call and tp_init get them, as one array and the names of its
// last items: what a vectorcall gets. The tuple has to stay.
class FlatArguments {
 public:
  FlatArguments(PyObject* tuple, PyObject* dict);
  ~FlatArguments();
  FlatArguments(const FlatArguments&) = delete;
  FlatArguments& operator=(const FlatArguments&) = delete;

  // False with a Python error set: MemoryError, or TypeError for names that are not strs.
  explicit operator bool() const { return arguments_ != nullptr; }
  [[nodiscard]] PyObject* const* arguments() const { return arguments_; }
  [[nodiscard]] PyObject* names() const { return names_; }

 private:
  PyObject* const* arguments_ = nullptr;
  PyObject** own_ = nullptr;
  PyObject* names_ = nullptr;
  PyObject* keeper_ = nullptr;  // A dict that keeps the arguments with names.
};

// What messages call the type of what was given: None is spelled as itself, as CPython does.
inline const char* given_type(PyObject* given) {
  return Py_IsNone(given) ? "None" : Py_TYPE(given)->tp_name;
}

// An argument could not be converted: sets a TypeError unless a more telling error is set already.
[[gnu::cold]] void wrong_argument(const FunctionRecord& record, size_t index, PyObject* argument);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_RECORD_H_
