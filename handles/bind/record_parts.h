// The growing parts of the records of classes and modules, kept out of what users compile.
//
// Thread safety: as the records.
#ifndef TENURE_HANDLES_BIND_RECORD_PARTS_H_
#define TENURE_HANDLES_BIND_RECORD_PARTS_H_

#include <string>
#include <vector>

#include "tenure/handles/bind/class_record.h"
#include "tenure/handles/bind/module_record.h"

namespace tenure::bind {

struct ClassParts {
  std::vector<PyMethodDef> methods;
  std::vector<PyGetSetDef> properties;
  std::vector<PyType_Slot> slots;
  // For stubs, in the order of the source.
  std::vector<const FunctionRecord*> functions;
  std::vector<Property> shown;
  struct Operator {
    Op op;
    const Passed* answered;
  };
  std::vector<Operator> operators;
  std::string full_name;
};

struct ModuleParts {
  std::vector<const FunctionRecord*> functions;
  std::vector<const ClassRecord*> classes;
  // What else the module has: exception classes and attributes, as lines of a stub.
  std::vector<std::string> others;
};

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_RECORD_PARTS_H_
