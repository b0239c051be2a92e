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
#include <string>

#include "tenure/core/abi/python.h"

namespace tenure::bind {

struct Parameter {
  const char* name = nullptr;  // None has one, or all have.
  // What it is for stubs. That of a class is known when the class is bound.
  const char* const* annotation = nullptr;
  bool or_none = false;
  bool has_default = false;
  PyObject* object = nullptr;  // The name as a str.
};

struct FunctionRecord {
  // Known when it is compiled.
  Parameter* parameters = nullptr;
  unsigned short count = 0;
  unsigned short positional_only = 0;  // The first so many.
  unsigned short positional = 0;       // The first so many may be passed by position.
  bool takes_all = false;              // It sees its arguments as they come.
  bool returns_or_none = false;
  const char* const* returns = nullptr;

  // Set by prepare().
  const char* name = nullptr;
  const char* owner = nullptr;      // The class, or null.
  const char* doc = nullptr;        // What the author wrote, or null.
  const char* signature = nullptr;  // "self, x: int, y: float = 2.0, /", for stubs.
  PyMethodDef method = {};

  // Sets what depends on the words of def(). `defaults` has a new reference for each parameter
  // that has a default; steals them. `self` is what a stub calls the first parameter, or null.
  // False with a Python error set. Requires: attached.
  bool prepare(const char* of_class, const char* self, const char* called,
               const char* documentation, PyObject** defaults);
};

// Puts every argument at its parameter's place in `slots`, null where the default is to be used.
// Borrows. False with a TypeError set that says what is wrong in CPython's words.
bool gather(const FunctionRecord& record, PyObject* const* arguments, Py_ssize_t positional,
            PyObject* kwnames, PyObject** slots);

// The same from a tuple and a dict or null, as tp_new and tp_init get them.
bool gather(const FunctionRecord& record, PyObject* tuple, PyObject* dict, PyObject** slots);

// A tuple and a dict or null as one array and the names of its last items: what a vectorcall gets.
class FlatArguments {
 public:
  FlatArguments(PyObject* tuple, PyObject* dict);
  ~FlatArguments();
  FlatArguments(const FlatArguments&) = delete;
  FlatArguments& operator=(const FlatArguments&) = delete;

  // False with MemoryError set.
  explicit operator bool() const { return arguments_ != nullptr; }
  [[nodiscard]] PyObject* const* arguments() const { return arguments_; }
  [[nodiscard]] PyObject* names() const { return names_; }

 private:
  PyObject** arguments_ = nullptr;  // Borrowed from the tuple and the dict.
  PyObject* names_ = nullptr;
};

// Sets the TypeError for so many positional arguments where no keywords are taken. Answers null.
PyObject* wrong_count(const FunctionRecord& record, Py_ssize_t given);

// An argument could not be converted: sets a TypeError unless a more telling error is set already.
// Answers null.
PyObject* wrong_argument(const FunctionRecord& record, size_t index, PyObject* argument,
                         const char* expected);

// "int", "str | None": for stubs.
std::string annotation_text(const char* annotation, bool or_none);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_RECORD_H_
