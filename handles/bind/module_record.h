// What a bound module is made of when it runs, and the state of each copy of it.
//
// The record is of static storage: one for the process, written by the first import under a lock. A
// copy is made by every interpreter that imports the module, and again when it is imported anew.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_MODULE_RECORD_H_
#define TENURE_HANDLES_BIND_MODULE_RECORD_H_

#include "tenure/handles/bind/record.h"

namespace tenure::bind {

struct ClassRecord;

struct ModuleParts;

struct ModuleRecord {
  // Made by the first import, never destroyed. What is in them: record_parts.h.
  ModuleParts* parts = nullptr;
  // Whether an import got to the end, so that the records are whole.
  bool is_whole = false;
};

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_MODULE_RECORD_H_
