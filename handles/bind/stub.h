// The text of a module's .pyi file.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_STUB_H_
#define TENURE_HANDLES_BIND_STUB_H_

#include <string>

#include "tenure/handles/bind/class_record.h"
#include "tenure/handles/bind/module_record.h"

namespace tenure::bind {

// "int", "str | None".
std::string annotation_text(const Passed& type);

std::string stub_of(const ModuleRecord& record);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_STUB_H_
