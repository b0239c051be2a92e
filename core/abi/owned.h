// What an object holds references to, whether the collector would find it or not.
//
// The collector's own tp_traverse only reports what can be part of a cycle: not the keys of a dict
// of strings, nor what code objects, descriptors, ranges or dates hold. This asks it, and adds what
// is known of the built-in types.
//
// Not for: copying or checking objects by their layout (see shape.h). What a type of somebody
// else's holds and reports to nobody is not found here either.
//
// Thread safety: every function needs an attached thread. No Python code runs in any of them.
#ifndef TENURE_CORE_ABI_OWNED_H_
#define TENURE_CORE_ABI_OWNED_H_

#include <cstddef>
#include <cstring>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Calls visit(owned, argument) for each object found; for some more than once, and for the type of
// an instance too. Ends when that answers something other than 0. Borrows. Requires: `object` is
// complete, as all that Python code can get hold of is, but for a tuple with empty slots.
void visit_owned(PyObject* object, visitproc visit, void* argument);

// The references among the fields that an object's type has names for: slots of classes, and what
// built-in types show of themselves. Calls visit(name, owned) for each that is not null, until that
// answers false.
template <typename Visit>
bool visit_members(PyObject* object, Visit&& visit) {
  for (PyTypeObject* type = Py_TYPE(object); type != nullptr; type = type->tp_base) {
    for (const PyMemberDef* member = type->tp_members; member != nullptr && member->name != nullptr;
         ++member) {
      if (member->type != _Py_T_OBJECT && member->type != Py_T_OBJECT_EX) continue;
      PyObject* owned;
      std::memcpy(&owned, reinterpret_cast<char*>(object) + member->offset, sizeof(PyObject*));
      if (owned != nullptr && !visit(member->name, owned)) return false;
    }
  }
  return true;
}

// Bytes that an object takes up: itself, the collector's head, and the tables of the built-in
// containers. What other types allocate beside their objects is not known.
size_t bytes_of(PyObject* object);

// True if `object` is a function and `dict` its globals or builtins: where it looks names up.
bool is_namespace_of(PyObject* object, PyObject* dict);

// True for a tuple that is being filled: the interpreter resizes it if nobody else refers to it.
bool is_unfinished(PyObject* object);

// Fills in what the interpreter would write into a str, bytes, tuple or frozenset when it is hashed
// the first time. Does nothing for other types, for a tuple of anything but such objects and
// numbers, and for one with a tuple in it that is not hashed yet. True if it wrote something.
bool fill_hash(PyObject* object);

// Fills in the UTF-8 form that a str keeps once it has been asked for. Does nothing for ASCII, and
// where there is none. True if it wrote something.
bool fill_utf8(PyObject* str);

// Gives a type the number by which the interpreter's caches know it, which it else would get when
// an attribute is first looked up.
void fill_version(PyTypeObject* type);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_OWNED_H_
