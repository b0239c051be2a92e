#include "tenure/handles/bind/classes.h"

#include <mutex>
#include <new>
#include <vector>

namespace tenure::bind {
namespace {

struct Entry {
  ClassSlot* slot;
  PyInterpreterState* interpreter;
  const void* copy;
  PyTypeObject* type;
};

// Interpreters with a GIL of their own import at the same time. Nothing that is called under the
// lock runs Python code or gives the GIL up. Never destroyed: modules may end after static objects.
struct Registry {
  std::mutex mutex;
  std::vector<const void*> copies;
  std::vector<Entry> entries;  // The oldest first.
  // Of the first copy; and whether another has had one. After that no type is everybody's: a copy
  // that has ended may still be called, while its interpreter clears up.
  PyInterpreterState* interpreter = nullptr;
  bool is_mixed = false;
};

Registry& registry() {
  alignas(Registry) static unsigned char memory[sizeof(Registry)];
  static auto* const made = new (memory) Registry;
  return *made;
}

// Requires: locked.
void choose(Registry& all) {
  const bool is_alone = all.copies.size() == 1 && !all.is_mixed;
  for (const Entry& entry : all.entries) {
    // Release: partner of only_type().
    entry.slot->only.store(is_alone ? entry.type : nullptr, std::memory_order_release);
  }
}

}  // namespace

PyTypeObject* find_type(const ClassSlot& slot, const char* name) {
  PyInterpreterState* const here = PyInterpreterState_Get();
  Registry& all = registry();
  {
    const std::lock_guard lock(all.mutex);
    for (auto entry = all.entries.rbegin(); entry != all.entries.rend(); ++entry) {
      if (entry->slot == &slot && entry->interpreter == here) return entry->type;
    }
  }
  PyErr_Format(PyExc_TypeError, "no module that is imported here has a class for the C++ type '%s'",
               name);
  return nullptr;
}

bool begin_copy(const void* copy) try {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.copies.push_back(copy);
  PyInterpreterState* const here = PyInterpreterState_Get();
  if (all.interpreter == nullptr) all.interpreter = here;
  all.is_mixed = all.is_mixed || all.interpreter != here;
  choose(all);
  return true;
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return false;
}

void end_copy(const void* copy) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (const Entry& entry : all.entries) {
    if (entry.copy == copy) entry.slot->only.store(nullptr, std::memory_order_release);
  }
  std::erase(all.copies, copy);
  std::erase_if(all.entries, [copy](const Entry& entry) { return entry.copy == copy; });
  choose(all);
}

bool enter_type(const void* copy, ClassSlot& slot, PyTypeObject* type) try {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.entries.push_back({&slot, PyInterpreterState_Get(), copy, type});
  choose(all);
  return true;
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return false;
}

}  // namespace tenure::bind
