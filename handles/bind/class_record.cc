#include "tenure/handles/bind/class_record.h"

#include <cstring>

#include "tenure/handles/bind/module_record.h"

namespace tenure::bind {
namespace {

// With these names a method alone does not make the operator work.
constexpr const char* kOperators[] = {
    "__add__",    "__sub__",      "__mul__",     "__truediv__",  "__floordiv__", "__mod__",
    "__divmod__", "__pow__",      "__lshift__",  "__rshift__",   "__and__",      "__or__",
    "__xor__",    "__matmul__",   "__neg__",     "__pos__",      "__abs__",      "__invert__",
    "__bool__",   "__int__",      "__float__",   "__index__",    "__len__",      "__getitem__",
    "__setitem__", "__delitem__", "__contains__", "__iter__",    "__next__",     "__call__",
    "__repr__",   "__str__",      "__hash__",    "__eq__",       "__ne__",       "__lt__",
    "__le__",     "__gt__",       "__ge__",      "__init__",     "__new__",      "__iadd__",
    "__isub__",   "__imul__",     "__itruediv__", "__radd__",    "__rsub__",     "__rmul__",
};

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
  methods.clear();
  properties.clear();
  slots.clear();
  functions.clear();
  shown.clear();
  full_name.clear();
}

void ClassRecord::add_method(const FunctionRecord& record) {
  for (const char* name : kOperators) {
    if (std::strcmp(record.name, name) != 0) continue;
    PyErr_Format(PyExc_SystemError,
                 "%s of class '%s' is an operator: bind it with op<>() or init(), not def()", name,
                 info->name);
    return;
  }
  methods.push_back(record.method);
  functions.push_back(&record);
}

void ClassRecord::add_property(const Property& shown_as, getter get, setter set) {
  properties.push_back({shown_as.name, get, set, shown_as.doc, const_cast<char*>(shown_as.name)});
  shown.push_back(shown_as);
}

void ClassRecord::add_slot(int slot, void* function) { slots.push_back({slot, function}); }

PyObject* ClassRecord::make_type(PyObject* module) {
  const char* const module_name = PyModule_GetName(module);
  if (module_name == nullptr) return nullptr;
  if (full_name.empty()) {
    full_name = std::string(module_name) + "." + info->name;
    methods.push_back({});
    properties.push_back({});
  }
  std::vector<PyType_Slot> all = slots;
  all.push_back({Py_tp_dealloc, reinterpret_cast<void*>(dealloc)});
  all.push_back({Py_tp_methods, methods.data()});
  all.push_back({Py_tp_getset, properties.data()});
  if (doc != nullptr) all.push_back({Py_tp_doc, const_cast<char*>(doc)});
  all.push_back({});
  unsigned int all_flags = flags;
  if (construct == nullptr) all_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
  PyType_Spec spec = {full_name.c_str(), size, 0, all_flags, all.data()};
  PyObject* const base = bases_of(*this);
  if (base == nullptr) return nullptr;
  PyObject* const type = PyType_FromModuleAndSpec(module, &spec, base);
  Py_DECREF(base);
  if (type != nullptr) reinterpret_cast<PyTypeObject*>(type)->tp_vectorcall = construct;
  return type;
}

std::string ClassRecord::stub() const {
  std::string text = std::string("class ") + info->name;
  if (base_info != nullptr) text += std::string("(") + base_info->name + ")";
  if (base_info == nullptr && builtin_base() != &PyBaseObject_Type) {
    text += std::string("(") + builtin_base()->tp_name + ")";
  }
  text += ":\n";
  if (doc != nullptr) text += stub_doc(doc, "    ");
  const size_t empty = text.size();
  for (const Property& one : shown) {
    const std::string type = annotation_text(*one.annotation, one.or_none);
    text += std::string("    @property\n    def ") + one.name + "(self) -> " + type + ": ...\n";
    if (!one.is_writable) continue;
    text += std::string("    @") + one.name + ".setter\n    def " + one.name +
            "(self, value: " + type + ") -> None: ...\n";
  }
  if (init != nullptr) {
    text += std::string("    def __init__(") + init->signature + ") -> None: ...\n";
  }
  for (const FunctionRecord* one : functions) text += stub_of(*one, "    ");
  if (text.size() == empty) text += "    ...\n";
  return text;
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
               Py_IsNone(value) ? "None" : Py_TYPE(value)->tp_name);
  return -1;
}

}  // namespace tenure::bind
