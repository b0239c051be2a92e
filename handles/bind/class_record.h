// What a bound class is made of when it runs: the tables that its Python type is made from.
//
// Written by the first import of its module in the process, and read by every import.
//
// Thread safety: under the module's lock (module.h).
#ifndef TENURE_HANDLES_BIND_CLASS_RECORD_H_
#define TENURE_HANDLES_BIND_CLASS_RECORD_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tenure/handles/bind/instance.h"
#include "tenure/handles/bind/record.h"

namespace tenure::bind {

struct Property {
  const char* name;
  const char* doc;
  const char* const* annotation;
  bool or_none;
  bool is_writable;
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
  std::vector<PyMethodDef> methods = {};
  std::vector<PyGetSetDef> properties = {};
  std::vector<PyType_Slot> slots = {};
  // For stubs, in the order of the source.
  std::vector<const FunctionRecord*> functions = {};
  std::vector<Property> shown = {};
  std::string full_name = {};

  void reset(const char* documentation);
  void add_method(const FunctionRecord& record);
  void add_property(const Property& shown_as, getter get, setter set);
  void add_slot(int slot, void* function);

  // The type for a module. Null with a Python error set.
  PyObject* make_type(PyObject* module);
  // Its part of the stub.
  [[nodiscard]] std::string stub() const;
};

// The last of a collected instance's life, after its C++ object's. Steals.
void free_collected(PyObject* self, PyTypeObject* builtin_base);

// Sets the TypeError for `del object.name`; answers -1.
int refuse_deletion(void* name);

// Sets the TypeError for a value that `name` cannot have, unless an error is set. Answers -1.
int refuse_value(const char* name, const char* expected, PyObject* value);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_CLASS_RECORD_H_
