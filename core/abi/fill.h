// What the interpreter still writes into an object of an image while it is used, and how to have
// that done in advance.
//
// Hashes, the UTF-8 form of a str and its intern state are written when somebody first asks for
// them. Once they are there, nothing writes to the object any more.
//
// Not for: objects of the interpreter's own. What these do to an object is for good.
//
// Thread safety: every function needs an attached thread, except where it says otherwise.
#ifndef TENURE_CORE_ABI_FILL_H_
#define TENURE_CORE_ABI_FILL_H_

#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/shape.h"

namespace tenure::abi {

// True if the interpreter writes to objects of that shape whatever is filled in before: code, and
// what Tenure does not know better of. Thread state: any.
bool is_written_in_use(const Shape& shape);

// True if the object keeps its hash, and it has not been computed. Thread state: any.
bool has_unknown_hash(const Shape& shape, const void* object);

enum class HashFill : uint8_t {
  kKnown,       // it is there now, or the object does not keep it
  kUnhashable,  // it has none and never will, so nobody writes it
  kOpen,        // it could not be computed now, so it may be written later
};

// Computes the hash of an object that keeps it. Clears what Python error that raises. Recurses
// into objects whose hash is not known or not kept: fill in those that it refers to before.
// Requires: nothing that it refers to, at any depth, runs Python code when hashed; see
// hashes_without_python().
HashFill fill_hash(const Shape& shape, PyObject* object);

// True if hashing an object of that type runs no Python code, unless an item's does.
bool hashes_without_python(PyObject* object);

// The bytes that the UTF-8 form of a str takes that would be written when somebody asks for it,
// its final zero included. 0 for any other object, and for a str that keeps no such form, has it,
// or has none because of a lone surrogate.
size_t utf8_cache_bytes(const Shape& shape, PyObject* object);

// Gives a str its UTF-8 form. Requires: `room` is utf8_cache_bytes() long, not 0, stays for as long
// as the str and is never freed.
void fill_utf8_cache(PyObject* str, char* room);

// Sees to it that nobody writes the intern state of an image's str but the main interpreter at its
// end: marks it as static and interned for good, without entering it into any table. So interning
// it answers the str itself, which need not be what interning an equal one answers. One that
// somebody has interned before loses the mark by which any interpreter would write to it at its
// end.
//
// Special names that the interpreter keeps in its binary stay unmarked: it recognises them among
// interned strings by their address (`setattr(cls, "__len__", …)`), and interning an unmarked one
// answers its own without writing. Debug interpreters assert that no such str is ever interned;
// there these are marked as well.
//
// False with MemoryError; the str is as before then.
[[nodiscard]] bool settle_intern_state(PyObject* str);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_FILL_H_
