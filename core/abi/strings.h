// The intern state of strings that live in an image.
//
// A str of an image is immortal and carries the mark of a statically allocated one, because only
// that mark keeps the interpreter from freeing it at exit. Such a string goes through two states:
//
//   unused    not interned, hash unknown
//   interned  in the interpreter's table, state "immortal and static"
//
// The interpreter refuses to intern a string that carries the static mark, and would give one
// without it back to the allocator at exit. So interning through its own function takes the mark
// and the immortality away, interns, and puts them back; entering a string into the interpreter's
// table directly leaves them.
//
// Thread safety: every function needs an attached thread; under the GIL nobody sees the steps
// between.
#ifndef TENURE_CORE_ABI_STRINGS_H_
#define TENURE_CORE_ABI_STRINGS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// True if the str is interned, whoever made it.
bool is_interned(PyObject* str);

// True if the str of an image went through intern_unused() and is the interpreter's own now.
bool is_interned_here(PyObject* str);

// The dict in which the interpreter keeps its interned strings, borrowed; null if it is not to be
// had: on some versions, in debug builds, and when it is not found among the first few hundred
// thousand objects that the collector knows. Finding it takes as long as looking at those objects,
// so ask once.
PyObject* find_intern_table();

// Interns an unused str of an image. `table` is what find_intern_table() found, or null. Giving it
// saves a fifth of the work and requires that no str in the interpreter's own binary equals `str`:
// those are not in the table. Answers the interpreter's str of that content: `str` itself,
// or an equal one that was there before, made immortal so that slots may name it without counting.
// Borrowed. Null with MemoryError set if it could not be interned; `str` is as before then.
PyObject* intern_unused(PyObject* str, PyObject* table);

// The interpreter's interned str of that UTF-8 content, immortal, borrowed. Null with a Python
// error set if memory ran out or the content is not UTF-8.
PyObject* intern_text(const char* text, size_t bytes);

// Marks a str of an image as interned although it is in no table, so that nobody interns it, and
// writes to it, later. Debug interpreters demand it of every str that carries the static mark.
void mark_interned(PyObject* str);

// The offset of the pointer to its UTF-8 in a str that is not ASCII.
extern const size_t kUtf8Offset;

// The UTF-8 that a str keeps, without computing it; of one that keeps none, data() is null.
// Requires: it is compact and not ASCII.
std::string_view cached_utf8(PyObject* str);

// Says in a copy of such a str how many bytes its UTF-8 has. Thread state: any.
void set_utf8_bytes(void* copy, size_t bytes);

// What the hash of strs depends on, as a number: equal in two processes if all of their hashes are.
// Requires: attached. 0 with a Python error set if memory ran out.
uint64_t hash_witness();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_STRINGS_H_
