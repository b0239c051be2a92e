// Names known when a program is compiled, and found when it runs.
//
// Each name of the source has a slot; prepare_names() fills the slots of the shared object that it
// is linked into. What a slot holds is immortal and never changes while anybody can see it, so
// reading one is one load. In the main interpreter it is the interpreter's own interned str.
//
// Not for: names that come from outside; intern those and keep them in an Owned.
//
// Thread safety: prepare_names() attached; reading a slot on any thread after it.
#ifndef TENURE_CORE_NAMES_H_
#define TENURE_CORE_NAMES_H_

#include <atomic>
#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure {

// Of static storage. Enters itself into the list of its shared object when that is loaded.
struct NameSlot {
  // `initial`: what the slot holds until it is filled, and what other interpreters than the main
  // one fill it with: null, or a str of that content for all interpreters, immortal.
  NameSlot(const char* content, size_t length, PyObject* initial = nullptr);
  NameSlot(const NameSlot&) = delete;
  NameSlot& operator=(const NameSlot&) = delete;

  // Acquire: partner of the release in prepare_names(), which another interpreter's thread may have
  // called.
  PyObject* get() const { return object.load(std::memory_order_acquire); }

  std::atomic<PyObject*> object;  // Immortal.
  PyObject* substitute;           // Null or as given.
  const char* text;
  size_t bytes;
  NameSlot* next;
};

// Fills the slots. Modules made with handles/bind/module.h do it when they are
// imported; an executable calls it after it started the interpreter. False with a Python error set
// if one cannot be made. Requires: attached.
[[nodiscard]] bool prepare_names();

// A name that is known only when the program runs: as what a slot holds. Borrowed, for good; it is
// never given back, so ask once for each. Null with a Python error set. Requires: attached.
PyObject* new_name(const char* text, size_t bytes);

}  // namespace tenure

#endif  // TENURE_CORE_NAMES_H_
