// Taking apart a built-in container that nobody else can see, one reference at a time.
//
// The C API has no way to empty a tuple, or a dict without comparing its keys; both matter when ten
// million objects are to be dropped a millisecond at a time. A container is taken apart from its
// end, and what was taken is no longer in it, so it is a valid, smaller container at every moment,
// and dropping it drops what is left.
//
// Not for: containers that anybody else holds a reference to.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_CONTAINERS_H_
#define TENURE_CORE_ABI_CONTAINERS_H_

#include <cstddef>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

enum class ContainerKind : unsigned char { kNone, kList, kTuple, kDict, kSet };

// True if it is exactly the built-in frozendict, which 3.15 has. PyDict_Next() goes through one as
// through a dict.
bool is_builtin_frozendict(PyObject* object);

// What the object is, if it can be taken apart: exactly one of the built-in types, with a table of
// its own, referenced once and by no weak reference. Never true of immortal objects.
ContainerKind container_kind(PyObject* object);

// How many slots it has, more or less: what it is worth to take it apart. 0 if that is impossible.
Py_ssize_t container_slots(PyObject* object);

// False if it cannot be taken apart, because others refer to it too or it is no container: a cheap
// answer for most objects.
inline bool may_be_container(PyObject* object) {
#ifndef Py_GIL_DISABLED
  if (Py_REFCNT(object) != 1) return false;
#endif
  return PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_HAVE_GC) != 0;
}

// Takes a reference to each object that `owner` alone refers to and that refers to others itself,
// so that the owner's end is not theirs as well. Answers how many; the first `most` of them.
// Requires: an object of the collector's.
size_t keep_parts(PyObject* owner, PyObject** parts, size_t most);

// Whether nobody has another reference. Never true of immortal objects.
bool is_only_reference(PyObject* object);

// A container that is being taken apart. Owns the reference to it.
struct OpenContainer {
  PyObject* object;
  // Of a list or tuple, its items; else null.
  PyObject** items;
  // Slots from here on are empty.
  Py_ssize_t end;
  // Where the memory of empty slots ends that has been given back already; null for small ones.
  char* given_back;
  ContainerKind kind;
};

// Steals. Requires: container_kind() says `kind`, which is not kNone. Takes the container out of
// the collector's sight.
OpenContainer open_container(PyObject* object, ContainerKind kind);

// A reference that was in it. Null when none was found in a while; there are more if end > 0. Gives
// pages of big containers back to the system as they become empty, so that freeing the rest takes
// no longer for a big one.
PyObject* take_from(OpenContainer& container);

// Drops references from the end of a list or tuple for as long as no code but the interpreter's own
// can run by it: those to objects that others refer to as well, and to numbers, str and bytes.
// Answers how many; at most `most`.
size_t drop_plain_from(OpenContainer& container, size_t most);

// Gives back memory of an empty container's table, 256 KiB at most. False when all that is
// worth it has been given, and the container may be dropped.
bool give_back(OpenContainer& container);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_CONTAINERS_H_
