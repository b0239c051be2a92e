#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/tracked.h"

#include <cstddef>
#include <cstdint>

#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

namespace tenure::abi {

namespace {

#ifdef Py_GIL_DISABLED

struct Call {
  void (*visit)(PyObject*, void*);
  void* argument;
};

int visit_one(PyObject* object, void* argument) {
  const auto& call = *static_cast<Call*>(argument);
  call.visit(object, call.argument);
  return 1;
}

#else

// The low bits are the collector's.
PyGC_Head* next_of(const PyGC_Head* head) {
  return reinterpret_cast<PyGC_Head*>(head->_gc_next & ~uintptr_t{3});
}

PyObject* object_of(PyGC_Head* head) { return reinterpret_cast<PyObject*>(head + 1); }

// Where parts begin: at the heads of the lists, and at objects that lie somewhere in them. A part
// ends where another begins.
class Parts {
 public:
  static constexpr size_t kMost = 48;

  bool is_full() const { return count_ == kMost; }
  size_t count() const { return count_; }
  PyGC_Head* begin(size_t i) const { return begins_[i]; }

  void add(PyGC_Head* head) {
    size_t place = place_of(head);
    while (table_[place] != nullptr) {
      if (table_[place] == head) return;
      place = (place + 1) % kPlaces;
    }
    table_[place] = head;
    begins_[count_++] = head;
  }

  bool is_begin(const PyGC_Head* head) const {
    for (size_t place = place_of(head); table_[place] != nullptr; place = (place + 1) % kPlaces) {
      if (table_[place] == head) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kPlaces = 512;
  static size_t place_of(const PyGC_Head* head) {
    return (reinterpret_cast<uintptr_t>(head) >> 4) * 0x9E3779B97F4A7C15U >> 55;
  }

  PyGC_Head* begins_[kMost] = {};
  size_t count_ = 0;
  PyGC_Head* table_[kPlaces] = {};
};

// Modules: they lie between the objects of one import and those of the next.
void add_modules(Parts& parts) {
  PyObject* modules = PyImport_GetModuleDict();
  if (modules == nullptr || !PyDict_CheckExact(modules)) return;
  const Py_ssize_t apart = PyDict_GET_SIZE(modules) / static_cast<Py_ssize_t>(Parts::kMost) + 1;
  Py_ssize_t position = 0;
  PyObject* module;
  for (Py_ssize_t i = 0; PyDict_Next(modules, &position, nullptr, &module); ++i) {
    if (parts.is_full()) return;
    if (i % apart == 0 && PyObject_IS_GC(module) && PyObject_GC_IsTracked(module)) {
      parts.add(reinterpret_cast<PyGC_Head*>(module) - 1);
    }
  }
}

#endif

}  // namespace

void for_each_tracked(void (*visit)(PyObject* object, void* argument), void* argument) {
#ifdef Py_GIL_DISABLED
  Call call{visit, argument};
  PyUnstable_GC_VisitObjects(&visit_one, &call);
#else
  struct _gc_runtime_state& collector = _PyRuntime.interpreters.main->gc;
  Parts parts;
  for (auto& generation : collector.generations) parts.add(&generation.head);
  PyGC_Head* const frozen = &collector.permanent_generation.head;
  parts.add(frozen);
  const size_t heads = parts.count();
  add_modules(parts);

  for (size_t i = heads; i < parts.count(); ++i) visit(object_of(parts.begin(i)), argument);
  PyGC_Head* at[Parts::kMost];
  size_t going = parts.count();
  for (size_t i = 0; i < going; ++i) at[i] = next_of(parts.begin(i));
  while (going > 0) {
    for (size_t i = 0; i < going;) {
      PyGC_Head* const head = at[i];
      if (parts.is_begin(head)) {
        at[i] = at[--going];
        continue;
      }
      PyGC_Head* const next = next_of(head);
      // By its next turn it has come.
      __builtin_prefetch(next);
      at[i] = next;
      visit(object_of(head), argument);
      ++i;
    }
  }
#endif
}

}  // namespace tenure::abi
