// What a bound class is made of when it runs: the tables that its Python type is made from.
//
// Written by the first import of its module in the process, and read by every import.
//
// Thread safety: under the module's lock (module.h).
#ifndef TENURE_HANDLES_BIND_CLASS_RECORD_H_
#define TENURE_HANDLES_BIND_CLASS_RECORD_H_

#include <cstddef>

#include "tenure/handles/bind/instance.h"
#include "tenure/handles/bind/record.h"

namespace tenure {
enum class Op : unsigned char;
}

namespace tenure::bind {

struct ClassParts;

struct Property {
  const char* name;
  const char* doc;
  const Passed* type;
  bool is_writable;
};

class Module;

// What init() makes instances with.
struct Initialiser {
  FunctionRecord& make;
  FunctionRecord& remake;
  vectorcallfunc construct;
  newfunc tp_new;
  initproc tp_init;
};

struct ClassRecord {
  // Known when it is compiled.
  ClassInfo* info;
  ClassInfo* base_info;  // Of the bound class it derives from, or null.
  PyTypeObject* (*builtin_base)();
  int size;
  unsigned int flags;
  destructor dealloc;

  // What class_ adds.
  const char* doc = nullptr;
  vectorcallfunc construct = nullptr;
  const FunctionRecord* init = nullptr;
  // Made by the first import, never destroyed. What is in them: record_parts.h.
  ClassParts* parts = nullptr;

  void reset(const char* documentation);
  // They do nothing where the module has failed already. The words are those of def().
  void add_method(Module& module, FunctionRecord& record, const char* self, int flags_of_it,
                  const char* name, const Word* words, size_t count);
  void add_call(Module& module, FunctionRecord& record, ternaryfunc call, const Word* words,
                size_t count);
  void add_init(Module& module, const Initialiser& how, const Word* words, size_t count);
  void add_plain_method(const PyMethodDef& method);
  void add_property(const Property& shown_as, getter get, setter set);
  void add_slot(int slot, void* function);
  // For the stub.
  void show_operator(Op op, const Passed* answered);

  // The type for a module. Null with a Python error set.
  PyObject* make_type(PyObject* module);
};

// The last of a collected instance's life, after its C++ object's. Steals.
void free_collected(PyObject* self, PyTypeObject* builtin_base);

// Sets the TypeError for `del object.name`; answers -1.
int refuse_deletion(void* name);

// Sets the TypeError for a value that `name` cannot have, unless an error is set. Answers -1.
int refuse_value(const char* name, const char* expected, PyObject* value);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_CLASS_RECORD_H_
