// What a bound module is made of when it runs, and the state of each copy of it.
//
// The record is of static storage: one for the process, written by the first import under a lock. A
// copy is made by every interpreter that imports the module, and again when it is imported anew.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_MODULE_RECORD_H_
#define TENURE_HANDLES_BIND_MODULE_RECORD_H_

#include <string>
#include <vector>

#include "tenure/handles/bind/record.h"

namespace tenure::bind {

struct ClassRecord;

struct ModuleRecord {
  std::vector<const FunctionRecord*> functions;
  std::vector<const ClassRecord*> classes;
  std::string doc;
  // Whether an import got to the end, so that the records are whole.
  bool is_whole = false;
};

// One function of a stub, indented.
std::string stub_of(const FunctionRecord& record, const char* indent);
std::string stub_doc(const char* doc, const char* indent);
// The whole .pyi file.
std::string stub_of(const ModuleRecord& record);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_MODULE_RECORD_H_
