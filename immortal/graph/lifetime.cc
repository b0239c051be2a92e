#include "tenure/immortal/graph/lifetime.h"

#include <array>
#include <cstring>

#include "tenure/core/abi/owned.h"
#include "tenure/core/strong.h"

namespace tenure::graph {
namespace {

struct Words {
  const char* name;
  const char* reason;
};

constexpr std::array<Words, kMustEndEnd> kWords = {{
    {"", ""},
    {"running", "keeps the variables of a call"},
    {"unfinished", "is still being filled"},
    {"lent", "keeps the object that it shows from changing its size: release it first"},
    {"threads", "shows others that its thread has ended"},
    {"finalizers", "has a finalizer, which would never run"},
}};

bool is_named(PyTypeObject* type, const char* name) {
  return std::strcmp(type->tp_name, name) == 0;
}

bool runs(PyObject* object) {
  // Generators of all kinds; the objects that await one hold it.
  return PyFrame_Check(object) || PyGen_Check(object) || PyCoro_CheckExact(object) ||
         PyAsyncGen_CheckExact(object) || PyTraceBack_Check(object);
}

bool has_finalizer(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type->tp_finalize != nullptr || type->tp_del != nullptr) return true;
  return PyCapsule_CheckExact(object) && PyCapsule_GetDestructor(object) != nullptr;
}

// Answers true of a method without arguments, of a type in C.
bool answers_true(PyObject* object, const char* method) {
  const Strong answer = PyObject_CallMethod(object, method, nullptr);
  if (!answer) PyErr_Clear();
  return answer.get() == Py_True;
}

// Says whether a lock is held on every version; only some have a method that does.
bool is_held(PyObject* lock) {
  const Strong text = PyObject_Repr(lock);
  if (!text) PyErr_Clear();
  const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  return utf8 != nullptr && std::strncmp(utf8, "<locked", 7) == 0;
}

}  // namespace

const char* name_of(MustEnd kind) { return kWords[static_cast<size_t>(kind)].name; }
const char* reason_of(MustEnd kind) { return kWords[static_cast<size_t>(kind)].reason; }

MustEnd must_end(PyObject* object) {
  if (runs(object)) return MustEnd::kRuns;
  if (abi::is_unfinished(object)) return MustEnd::kUnfinished;
  if (PyMemoryView_Check(object) || is_named(Py_TYPE(object), "managedbuffer")) {
    return MustEnd::kLends;
  }
  if (is_named(Py_TYPE(object), "_thread._localdummy")) return MustEnd::kThread;
  // Last: generators have one too.
  return has_finalizer(object) ? MustEnd::kFinalizer : MustEnd::kNo;
}

bool is_at_work(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (is_named(type, "_thread.lock") || is_named(type, "_thread.RLock")) return is_held(object);
  return is_named(type, "_thread._ThreadHandle") && !answers_true(object, "is_done");
}

}  // namespace tenure::graph
