#include "tenure/handles/bind/stub.h"

#include "tenure/handles/bind/op.h"
#include "tenure/handles/bind/record_parts.h"

namespace tenure::bind {
namespace {

std::string stub_doc(const char* doc, const std::string& indent) {
  std::string text = indent + "\"\"\"";
  for (const char* c = doc; *c != '\0'; ++c) {
    if (*c == '\\' || *c == '"') text += '\\';
    text += *c;
    if (*c == '\n' && c[1] != '\n' && c[1] != '\0') text += indent;
  }
  return text + "\"\"\"\n";
}

std::string stub_of(const FunctionRecord& record, const std::string& indent) {
  std::string text;
  if ((record.method.ml_flags & METH_STATIC) != 0) text += indent + "@staticmethod\n";
  if ((record.method.ml_flags & METH_CLASS) != 0) text += indent + "@classmethod\n";
  text += indent + "def " + record.name + "(" + record.signature + ") -> " +
          annotation_text(*record.answered) + ":";
  if (record.doc == nullptr) return text + " ...\n";
  return text + "\n" + stub_doc(record.doc, indent + "    ");
}

// The line of an operator, with %s for what it answers.
struct Line {
  Op op;
  const char* name;
  const char* parameters;
  const char* answer;  // Where the function's own does not tell.
};
constexpr const char* kOther = "self, other: object, /";
constexpr Line kLines[] = {
    {Op::kNegative, "__neg__", "self", "object"},
    {Op::kPositive, "__pos__", "self", "object"},
    {Op::kAbsolute, "__abs__", "self", "object"},
    {Op::kInvert, "__invert__", "self", "object"},
    {Op::kInt, "__int__", "self", "int"},
    {Op::kFloat, "__float__", "self", "float"},
    {Op::kIndex, "__index__", "self", "int"},
    {Op::kRepr, "__repr__", "self", "str"},
    {Op::kStr, "__str__", "self", "str"},
    {Op::kIter, "__iter__", "self", "Any"},
    {Op::kNext, "__next__", "self", "object"},
    {Op::kBool, "__bool__", "self", "bool"},
    {Op::kLen, "__len__", "self", "int"},
    {Op::kHash, "__hash__", "self", "int"},
    {Op::kAdd, "__add__", kOther, "object"},
    {Op::kSub, "__sub__", kOther, "object"},
    {Op::kMul, "__mul__", kOther, "object"},
    {Op::kTrueDiv, "__truediv__", kOther, "object"},
    {Op::kFloorDiv, "__floordiv__", kOther, "object"},
    {Op::kMod, "__mod__", kOther, "object"},
    {Op::kDivMod, "__divmod__", kOther, "object"},
    {Op::kLeftShift, "__lshift__", kOther, "object"},
    {Op::kRightShift, "__rshift__", kOther, "object"},
    {Op::kAnd, "__and__", kOther, "object"},
    {Op::kOr, "__or__", kOther, "object"},
    {Op::kXor, "__xor__", kOther, "object"},
    {Op::kMatMul, "__matmul__", kOther, "object"},
    {Op::kPow, "__pow__", kOther, "object"},
    {Op::kLt, "__lt__", kOther, "bool"},
    {Op::kLe, "__le__", kOther, "bool"},
    {Op::kGt, "__gt__", kOther, "bool"},
    {Op::kGe, "__ge__", kOther, "bool"},
    {Op::kGetItem, "__getitem__", "self, key: object, /", "object"},
    {Op::kSetItem, "__setitem__", "self, key: object, value: object, /", "None"},
    {Op::kDelItem, "__delitem__", "self, key: object, /", "None"},
    {Op::kContains, "__contains__", "self, value: object, /", "bool"},
};

// Those that are not listed are what every object has, or follow from others.
std::string stub_of(const ClassParts::Operator& shown) {
  for (const Line& line : kLines) {
    if (line.op != shown.op) continue;
    const std::string answer =
        shown.answered != nullptr ? annotation_text(*shown.answered) : line.answer;
    return std::string("    def ") + line.name + "(" + line.parameters + ") -> " + answer +
           ": ...\n";
  }
  return "";
}

std::string stub_of(const ClassRecord& record) {
  std::string text = std::string("class ") + record.info->name;
  if (record.base_info != nullptr) text += std::string("(") + record.base_info->name + ")";
  if (record.base_info == nullptr && record.builtin_base() != &PyBaseObject_Type) {
    text += std::string("(") + record.builtin_base()->tp_name + ")";
  }
  text += ":\n";
  if (record.doc != nullptr) text += stub_doc(record.doc, "    ");
  const size_t empty = text.size();
  for (const Property& one : record.parts->shown) {
    const std::string type = annotation_text(*one.type);
    text += std::string("    @property\n    def ") + one.name + "(self) -> " + type + ": ...\n";
    if (!one.is_writable) continue;
    text += std::string("    @") + one.name + ".setter\n    def " + one.name +
            "(self, value: " + type + ") -> None: ...\n";
  }
  if (record.init != nullptr) {
    text += std::string("    def __init__(") + record.init->signature + ") -> None: ...\n";
  }
  for (const FunctionRecord* one : record.parts->functions) text += stub_of(*one, "    ");
  for (const ClassParts::Operator& one : record.parts->operators) text += stub_of(one);
  if (text.size() == empty) text += "    ...\n";
  return text;
}

}  // namespace

std::string annotation_text(const Passed& type) {
  return type.or_none ? std::string(*type.annotation) + " | None" : *type.annotation;
}

std::string stub_of(const ModuleRecord& record) {
  std::string text;
  for (const std::string& line : record.parts->others) text += line;
  for (const ClassRecord* one : record.parts->classes) text += stub_of(*one) + "\n";
  for (const FunctionRecord* one : record.parts->functions) text += stub_of(*one, "");
  const bool needs_any = text.find("-> Any:") != std::string::npos;
  return needs_any ? "from typing import Any\n\n" + text : text;
}

}  // namespace tenure::bind
