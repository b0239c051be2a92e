// What the interpreter knows of its own end, for a process that leaves without taking it apart.
//
// All of it is read from the runtime's own structures. The interpreter states sizes and places of
// some; where they are not those of the headers this was compiled with, knows_runtime() says so,
// and nothing else here may be asked.
//
// Not for: anything but leaving (python/extension/exit.cc).
//
// Thread safety: attached, main interpreter.
#ifndef TENURE_CORE_ABI_ENDING_H_
#define TENURE_CORE_ABI_ENDING_H_

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Whether the structures of the running interpreter are those that the headers describe.
bool knows_runtime();

// Whether this is the thread that can end the interpreter: the one that the process began with, or
// that forked it if it was one already.
bool is_main_thread();

// Whether the interpreter has begun to end: it waits for threads, calls atexit functions, or is
// past that.
bool is_ending();

// Whether the interpreter was told to show what its end does: what it frees, what is left, how much
// memory that was.
bool shows_its_end();

// Whether a process whose program ended with this exception dies of SIGINT.
bool ends_as_interrupt(PyObject* error);

// The list behind gc.callbacks, whatever became of that name. Borrowed; null if there is none.
PyObject* collector_callbacks();

// Whether a thread that is stopped for good was at work in this buffered file, and holds its lock.
// Requires: an instance of `type`, which is io's BufferedWriter, BufferedRandom or BufferedReader.
// False if that cannot be seen.
bool is_held_by_other(PyObject* file, PyTypeObject* type);

// Calls what was registered with Py_AtExit(), the last first, each once, as the interpreter does at
// its very end.
void call_functions_of_runtime();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_ENDING_H_
