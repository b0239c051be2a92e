#include "tenure/core/names.h"

#include <mutex>

#include "tenure/core/abi/names.h"

namespace tenure {
namespace {

// Written while the shared object is loaded, by one thread.
constinit NameSlot* first = nullptr;

// Interpreters with a GIL of their own may import a module at the same time. Nothing that is
// called under it runs Python code or gives the GIL up.
constinit std::mutex filling;

}  // namespace

NameSlot::NameSlot(const char* content, size_t length, PyObject* initial)
    : object(initial), substitute(initial), text(content), bytes(length), next(first) {
  first = this;
}

bool prepare_names() {
  // What another interpreter made is as good everywhere but in the main one. Names of a main
  // interpreter that ended and was started again are new ones.
  const bool is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
  const std::lock_guard lock(filling);
  for (NameSlot* slot = first; slot != nullptr; slot = slot->next) {
    if (slot->get() != slot->substitute && !is_main) continue;
    PyObject* object = abi::new_name(slot->text, slot->bytes, slot->substitute);
    if (object == nullptr) return false;
    slot->object.store(object, std::memory_order_release);
  }
  return true;
}

PyObject* new_name(const char* text, size_t bytes) { return abi::new_name(text, bytes, nullptr); }

}  // namespace tenure
