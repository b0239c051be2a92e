// Which Python type stands for a C++ class, in the interpreter at hand.
//
// A module makes its types anew in every interpreter that imports it. A ClassSlot is the C++ class;
// while the process has one copy of the module, it holds that copy's type, and finding it is one
// load. With more copies, and once several interpreters have had one, they are looked up under a
// lock: by interpreter, and among several of one interpreter the newest.
//
// Not for: telling whether an object is an instance. That needs no type (instance.h).
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_CLASSES_H_
#define TENURE_HANDLES_BIND_CLASSES_H_

#include <atomic>

#include "tenure/core/abi/python.h"

namespace tenure::bind {

// Of static storage.
struct ClassSlot {
  // Acquire: partner of the releases in classes.cc.
  PyTypeObject* only_type() const { return only.load(std::memory_order_acquire); }

  // Not null while the process has one copy of the module and the type in it.
  std::atomic<PyTypeObject*> only{nullptr};
};

// The type, borrowed. Null with a TypeError set if no module of this interpreter has it; `name` is
// what to call the class then.
PyTypeObject* find_type(const ClassSlot& slot, const char* name);
inline PyTypeObject* type_of(const ClassSlot& slot, const char* name) {
  PyTypeObject* type = slot.only_type();
  return type != nullptr ? type : find_type(slot, name);
}

// A copy of the module, known by where its state is, begins to make its types, or is gone. `begin`
// is false with MemoryError set.
bool begin_copy(const void* copy);
void end_copy(const void* copy);

// Enters a type of that copy. Borrows: the copy keeps it alive until end_copy(). False with
// MemoryError set.
bool enter_type(const void* copy, ClassSlot& slot, PyTypeObject* type);

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_CLASSES_H_
