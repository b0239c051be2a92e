#include "tenure/handles/bind/class_record.h"
#include "tenure/handles/bind/module_record.h"

namespace tenure::bind {

std::string stub_doc(const char* doc, const char* indent) {
  std::string text = std::string(indent) + "\"\"\"";
  for (const char* c = doc; *c != '\0'; ++c) {
    if (*c == '\\' || *c == '"') text += '\\';
    text += *c;
    if (*c == '\n' && c[1] != '\n' && c[1] != '\0') text += indent;
  }
  return text + "\"\"\"\n";
}

std::string stub_of(const FunctionRecord& record, const char* indent) {
  std::string text;
  if ((record.method.ml_flags & METH_STATIC) != 0) text += std::string(indent) + "@staticmethod\n";
  if ((record.method.ml_flags & METH_CLASS) != 0) text += std::string(indent) + "@classmethod\n";
  text += std::string(indent) + "def " + record.name + "(" + record.signature + ") -> " +
          annotation_text(*record.returns, record.returns_or_none) + ":";
  if (record.doc == nullptr) return text + " ...\n";
  return text + "\n" + stub_doc(record.doc, (std::string(indent) + "    ").c_str());
}

std::string stub_of(const ModuleRecord& record) {
  std::string text;
  if (!record.doc.empty()) text += stub_doc(record.doc.c_str(), "") + "\n";
  for (const ClassRecord* one : record.classes) text += one->stub() + "\n";
  for (const FunctionRecord* one : record.functions) text += stub_of(*one, "");
  return text;
}

}  // namespace tenure::bind
