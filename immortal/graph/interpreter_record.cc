#include "tenure/immortal/graph/interpreter_record.h"

#include <atomic>
#include <cstdio>

#include "tenure/core/strong.h"

namespace tenure::graph {
namespace {

// Release and acquire: who sees the page sees the type in it.
std::atomic<TypePage*> page_of_copy{nullptr};

constexpr char kCapsule[] = "tenure.FrozenDict";

// Where it stands in the interpreter's dict: one for each page.
struct Name {
  explicit Name(const TypePage* page) {
    std::snprintf(text, sizeof text, "%s at %p", kCapsule, static_cast<const void*>(page));
  }
  char text[64];
};

bool is_main(PyInterpreterState* interpreter) { return interpreter == PyInterpreterState_Main(); }

void end_record(PyObject* capsule) {
  auto* record = static_cast<InterpreterRecord*>(PyCapsule_GetPointer(capsule, kCapsule));
  if (is_main(record->interpreter)) {
    record->page->main_record.store(nullptr, std::memory_order_release);
  }
  for (size_t i = 0; i < kWhats; ++i) {
    Py_XDECREF(record->views[i]);
    Py_XDECREF(record->iterators[i]);
    Py_XDECREF(record->reverse_iterators[i]);
  }
  Py_XDECREF(record->fallbacks);
  PyMem_RawFree(record);
}

PyObject* new_record(TypePage* page) {
  void* memory = PyMem_RawMalloc(sizeof(InterpreterRecord));
  if (memory == nullptr) return PyErr_NoMemory();
  auto* record = new (memory) InterpreterRecord;
  record->interpreter = PyInterpreterState_Get();
  record->page = page;
  record->fallbacks = PyDict_New();
  PyObject* capsule =
      record->fallbacks == nullptr ? nullptr : PyCapsule_New(record, kCapsule, end_record);
  if (capsule == nullptr) {
    Py_XDECREF(record->fallbacks);
    PyMem_RawFree(record);
  }
  return capsule;
}

InterpreterRecord* find_record(PyObject* dict, const Name& name) {
  PyObject* capsule = nullptr;
  if (PyDict_GetItemStringRef(dict, name.text, &capsule) <= 0) return nullptr;
  // The dict keeps it.
  Py_DECREF(capsule);
  return static_cast<InterpreterRecord*>(PyCapsule_GetPointer(capsule, kCapsule));
}

PyObject* dict_of_interpreter() {
  PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr && PyErr_Occurred() == nullptr) PyErr_NoMemory();
  return dict;
}

}  // namespace

TypePage* the_page() { return page_of_copy.load(std::memory_order_acquire); }

void set_page(TypePage* page) { page_of_copy.store(page, std::memory_order_release); }

InterpreterRecord* make_record(TypePage* page) {
  PyObject* dict = dict_of_interpreter();
  if (dict == nullptr) return nullptr;
  const Name name(page);
  InterpreterRecord* known = find_record(dict, name);
  if (known != nullptr || PyErr_Occurred() != nullptr) return known;
  const Strong text = PyUnicode_FromString(name.text);
  const Strong capsule = text ? Strong(new_record(page)) : Strong();
  if (!capsule) return nullptr;
  PyObject* kept = nullptr;
  if (PyDict_SetDefaultRef(dict, text.get(), capsule.get(), &kept) < 0) return nullptr;
  Py_DECREF(kept);
  auto* record = static_cast<InterpreterRecord*>(PyCapsule_GetPointer(kept, kCapsule));
  if (record != nullptr && is_main(record->interpreter)) {
    page->main_record.store(record, std::memory_order_release);
  }
  return record;
}

InterpreterRecord* current_record() {
  TypePage* page = the_page();
  InterpreterRecord* record = page->main_record.load(std::memory_order_acquire);
  if (record != nullptr && record->interpreter == PyInterpreterState_Get()) return record;
  PyObject* dict = dict_of_interpreter();
  if (dict == nullptr) return nullptr;
  record = find_record(dict, Name(page));
  if (record == nullptr && PyErr_Occurred() == nullptr) {
    PyErr_SetString(PyExc_RuntimeError,
                    "FrozenDicts are not known in this interpreter: import tenure in it first");
  }
  return record;
}

}  // namespace tenure::graph
