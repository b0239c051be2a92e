#include "tenure/handles/bind/class_record.h"

#include <cstring>

#include "tenure/handles/bind/module.h"
#include "tenure/handles/bind/record_parts.h"

namespace tenure::bind {
namespace {

// With these names a method alone does not make the operator work.
constexpr const char* kOperators[] = {
    "__add__",     "__sub__",      "__mul__",     "__truediv__",  "__floordiv__",
    "__mod__",     "__divmod__",   "__pow__",     "__lshift__",   "__rshift__",
    "__and__",     "__or__",       "__xor__",     "__matmul__",   "__neg__",
    "__pos__",     "__abs__",      "__invert__",  "__bool__",     "__int__",
    "__float__",   "__index__",    "__len__",     "__getitem__",  "__setitem__",
    "__delitem__", "__contains__", "__iter__",    "__next__",     "__call__",
    "__repr__",    "__str__",      "__hash__",    "__eq__",       "__ne__",
    "__lt__",      "__le__",       "__gt__",      "__ge__",       "__init__",
    "__new__",     "__iadd__",     "__isub__",    "__imul__",     "__itruediv__",
    "__radd__",    "__rsub__",     "__rmul__",    "__rtruediv__", "__rfloordiv__",
    "__rmod__",    "__rdivmod__",  "__rpow__",    "__rlshift__",  "__rrshift__",
    "__rand__",    "__ror__",      "__rxor__",    "__rmatmul__",  "__ifloordiv__",
    "__imod__",    "__ipow__",     "__ilshift__", "__irshift__",  "__iand__",
    "__ior__",     "__ixor__",     "__imatmul__", "__getattr__",  "__getattribute__",
    "__setattr__", "__delattr__",  "__get__",     "__set__",      "__delete__",
    "__del__",     "__await__",    "__aiter__",   "__anext__",
};

// The documentation, after what inspect.signature() reads: as of init(), which has a "$self" too.
std::string with_signature(const ClassRecord& record) {
  std::string doc = record.doc != nullptr ? record.doc : "";
  if (record.init == nullptr) return doc;
  std::string call = record.init->method.ml_doc;
  call.resize(call.find("\n--\n\n") + 5);
  const size_t self = call.find("$self");
  const size_t next = self + std::strlen("$self");
  call.erase(self, call.compare(next, 2, ", ") == 0 ? next + 2 - self : next - self);
  return call + doc;
}

PyObject* bases_of(const ClassRecord& record) {
  if (record.base_info != nullptr) {
    PyTypeObject* const base = type_of(record.base_info->slot, record.base_info->name);
    return base != nullptr ? Py_NewRef(reinterpret_cast<PyObject*>(base)) : nullptr;
  }
  return Py_NewRef(reinterpret_cast<PyObject*>(record.builtin_base()));
}

}  // namespace

void ClassRecord::reset(const char* documentation) {
  doc = documentation;
  construct = nullptr;
  init = nullptr;
  if (parts == nullptr) parts = new ClassParts;
  *parts = {};
}

void ClassRecord::add_plain_method(const PyMethodDef& method) { parts->methods.push_back(method); }

void ClassRecord::add_method(Module& module, FunctionRecord& record, const char* self,
                             int flags_of_it, const char* name, const Word* words, size_t count) {
  if (!module.is_well()) return;
  for (const char* op : kOperators) {
    if (std::strcmp(name, op) != 0) continue;
    PyErr_Format(PyExc_SystemError,
                 "%s of class '%s' is an operator: bind it with op<>() or init(), not def()", name,
                 info->name);
    module.check(false);
    return;
  }
  if (!module.check(record.prepare(info->name, self, flags_of_it, name, words, count))) return;
  parts->methods.push_back(record.method);
  parts->functions.push_back(&record);
}

void ClassRecord::add_call(Module& module, FunctionRecord& record, ternaryfunc call,
                           const Word* words, size_t count) {
  if (!module.is_well() ||
      !module.check(record.prepare(info->name, "self", 0, "__call__", words, count))) {
    return;
  }
  parts->functions.push_back(&record);
  add_slot(Py_tp_call, reinterpret_cast<void*>(call));
}

void ClassRecord::add_init(Module& module, const Initialiser& how, const Word* words,
                           size_t count) {
  if (!module.is_well() ||
      !module.check(how.make.prepare(nullptr, "self", 0, info->name, words, count)) ||
      !module.check(how.remake.prepare(nullptr, "self", 0, info->name, words, count))) {
    return;
  }
  construct = how.construct;
  init = &how.make;
  add_slot(Py_tp_new, reinterpret_cast<void*>(how.tp_new));
  add_slot(Py_tp_init, reinterpret_cast<void*>(how.tp_init));
}

void ClassRecord::add_property(const Property& shown_as, getter get, setter set) {
  parts->properties.push_back(
      {shown_as.name, get, set, shown_as.doc, const_cast<char*>(shown_as.name)});
  parts->shown.push_back(shown_as);
}

void ClassRecord::show_operator(Op op, const Passed* answered) {
  parts->operators.push_back({op, answered});
}

void ClassRecord::add_slot(int slot, void* function) { parts->slots.push_back({slot, function}); }

PyObject* ClassRecord::make_type(PyObject* module) {
  const char* const module_name = PyModule_GetName(module);
  if (module_name == nullptr) return nullptr;
  // Another import may be under another name.
  const bool is_first = parts->full_name.empty();
  parts->full_name = std::string(module_name) + "." + info->name;
  if (is_first) {
    if ((flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
      parts->properties.push_back(
          {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr});
    }
    parts->methods.push_back({});
    parts->properties.push_back({});
  }
  std::vector<PyType_Slot> all = parts->slots;
  all.push_back({Py_tp_dealloc, reinterpret_cast<void*>(dealloc)});
  all.push_back({Py_tp_methods, parts->methods.data()});
  all.push_back({Py_tp_getset, parts->properties.data()});
  const std::string shown = with_signature(*this);
  if (!shown.empty()) all.push_back({Py_tp_doc, const_cast<char*>(shown.c_str())});
  all.push_back({});
  unsigned int all_flags = flags;
  if (construct == nullptr) all_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
  PyType_Spec spec = {parts->full_name.c_str(), size, 0, all_flags, all.data()};
  PyObject* const base = bases_of(*this);
  if (base == nullptr) return nullptr;
  PyObject* const type = PyType_FromModuleAndSpec(module, &spec, base);
  Py_DECREF(base);
  // It would not see an __init__() that Python code puts there.
  if (type != nullptr && (flags & Py_TPFLAGS_IMMUTABLETYPE) != 0) {
    reinterpret_cast<PyTypeObject*>(type)->tp_vectorcall = construct;
  }
  return type;
}

void free_collected(PyObject* self, PyTypeObject* builtin_base) {
  PyTypeObject* const type = Py_TYPE(self);
  if (builtin_base != nullptr && builtin_base->tp_dealloc != PyBaseObject_Type.tp_dealloc) {
    // As CPython's own subclasses do: the base begins by taking it out of the collector's sight.
    if (PyType_IS_GC(builtin_base)) PyObject_GC_Track(self);
    builtin_base->tp_dealloc(self);
  } else {
    type->tp_free(self);
  }
  Py_DECREF(type);
}

int refuse_deletion(void* name) {
  PyErr_Format(PyExc_TypeError, "cannot delete attribute '%s'", static_cast<const char*>(name));
  return -1;
}

int refuse_value(const char* name, const char* expected, PyObject* value) {
  if (PyErr_Occurred() != nullptr) return -1;
  PyErr_Format(PyExc_TypeError, "attribute '%s' must be %s, not %.200s", name, expected,
               given_type(value));
  return -1;
}

}  // namespace tenure::bind
