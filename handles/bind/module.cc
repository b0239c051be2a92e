#include "tenure/handles/bind/module.h"

#include <mutex>

#include "tenure/core/names.h"
#include "tenure/handles/bind/record_parts.h"
#include "tenure/handles/bind/stub.h"

namespace tenure::bind {
namespace {

// Held while a module's first import writes its records. Detached while waiting: who holds it may
// run any Python code, and is waiting for the GIL perhaps.
std::recursive_mutex& first_import() {
  static auto* const mutex = new std::recursive_mutex;
  return *mutex;
}

class FirstImport {
 public:
  FirstImport() {
    if (first_import().try_lock()) return;
    const Detach detach;
    first_import().lock();
  }
  ~FirstImport() { first_import().unlock(); }
  FirstImport(const FirstImport&) = delete;
  FirstImport& operator=(const FirstImport&) = delete;
};

PyObject* stub_method(PyObject* module, PyObject* /*nothing*/) {
  const auto* copy = static_cast<CopyState*>(PyModule_GetState(module));
  return guarded<false>([&] {
    const std::string text = stub_of(*copy->record);
    return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  });
}

PyMethodDef stub_def = {"__tenure_stub__", &stub_method, METH_NOARGS,
                        "__tenure_stub__($module)\n--\n\nThe text of this module's .pyi file."};

bool add_stub(PyObject* module) {
  PyObject* const function = PyCFunction_New(&stub_def, module);
  return function != nullptr && PyModule_Add(module, stub_def.ml_name, function) == 0;
}

}  // namespace

Module::Module(PyObject* module, ModuleRecord& record) : module_(module), record_(record) {}

void Module::add_function(FunctionRecord& record, const char* name_of_it, const Word* words,
                          size_t count) {
  if (!is_well_) return;
  if (is_first()) {
    if (!check(record.prepare(nullptr, nullptr, 0, name_of_it, words, count))) return;
    record_.parts->functions.push_back(&record);
  }
  PyObject* const name = PyModule_GetNameObject(module_);
  if (!check(name != nullptr)) return;
  add_value(record.name, PyCFunction_NewEx(&record.method, module_, name));
  Py_DECREF(name);
}

bool Module::enter(ClassSlot& slot, PyObject* type) {
  auto* const copy = static_cast<CopyState*>(PyModule_GetState(module_));
  return check(PyList_Append(copy->types, type) == 0 &&
               enter_type(copy, slot, reinterpret_cast<PyTypeObject*>(type)));
}

void Module::add_class(ClassRecord& record, bool is_public) {
  if (!is_well_) return;
  if (is_first() && is_public) record_.parts->classes.push_back(&record);
  // Called by a destructor, which nothing may be thrown from.
  PyObject* const type = guarded<false>([&] { return record.make_type(module_); });
  if (!check(type != nullptr)) return;
  if (!enter(record.info->slot, type) || !is_public) {
    Py_DECREF(type);
    return;
  }
  add_value(record.info->name, type);
}

void Module::add_value(const char* name, PyObject* value) {
  if (!check(value != nullptr)) return;
  check(PyModule_Add(module_, name, value) == 0);
}

void Module::add_attribute(const char* name, const Passed& type, PyObject* value) {
  if (is_first() && is_well_) {
    record_.parts->others.push_back(std::string(name) + ": " + annotation_text(type) + "\n");
  }
  add_value(name, value);
}

void Module::add_exception(ClassSlot& slot, const char* name, PyObject* base, const char* doc) {
  if (!is_well_) return;
  const char* const module_name = PyModule_GetName(module_);
  if (!check(module_name != nullptr)) return;
  if (is_first()) {
    const char* const base_name =
        PyType_Check(base) ? reinterpret_cast<PyTypeObject*>(base)->tp_name : "Exception";
    record_.parts->others.push_back(std::string("class ") + name + "(" + base_name + "): ...\n");
  }
  const std::string full = std::string(module_name) + "." + name;
  PyObject* const type = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  if (!check(type != nullptr)) return;
  if (enter(slot, type)) {
    add_value(name, type);
  } else {
    Py_DECREF(type);
  }
}

int execute(PyObject* module, ModuleRecord& record, void (*body)(PyObject*, ModuleRecord&)) {
  auto* const copy = static_cast<CopyState*>(PyModule_GetState(module));
  copy->record = &record;
  copy->types = PyList_New(0);
  if (copy->types == nullptr || !prepare_names() || !begin_copy(copy)) return -1;
  copy->is_begun = true;
  const FirstImport lock;
  // Records of an import that failed half-way are written anew.
  if (!record.is_whole) {
    if (record.parts == nullptr) record.parts = new ModuleParts;
    *record.parts = {};
  }
  if (!add_stub(module)) return -1;
  PyObject* const done = guarded<false>([&]() -> PyObject* {
    body(module, record);
    return PyErr_Occurred() == nullptr ? Py_None : nullptr;
  });
  if (done == nullptr) return -1;
  record.is_whole = true;
  return 0;
}

void end_copy_of(CopyState& copy) {
  if (std::exchange(copy.is_begun, false)) end_copy(&copy);
  Py_CLEAR(copy.types);
}

PyObject* initialise(Definition& definition, const char* name, const ModuleOptions& options,
                     int (*exec)(PyObject*), Py_ssize_t size, traverseproc traverse, inquiry clear,
                     freefunc free) {
  const FirstImport lock;
  if (definition.def.m_name == nullptr) {
    PyModuleDef_Slot* slot = definition.slots;
    *slot++ = {Py_mod_exec, reinterpret_cast<void*>(exec)};
    *slot++ = {Py_mod_multiple_interpreters, options.per_interpreter_gil
                                                 ? Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
                                                 : Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED};
    *slot++ = {Py_mod_gil, options.free_threading ? Py_MOD_GIL_NOT_USED : Py_MOD_GIL_USED};
    *slot = {};
    definition.def = {PyModuleDef_HEAD_INIT, name,     options.doc, size, nullptr,
                      definition.slots,      traverse, clear,       free};
  }
  return PyModuleDef_Init(&definition.def);
}

}  // namespace tenure::bind
