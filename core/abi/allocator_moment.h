// Whether the allocators of CPython may be replaced now.
//
// The one moment for that is between pre-initialisation, which chooses them by what the environment
// and the configuration say, and the first interpreter, whose objects are the first blocks. Before
// it the choice would be undone; after it blocks of one allocator would be freed by another.
//
// Not for: hooks in front of the allocators, which may come and go at any time.
//
// Thread safety: the thread that initialises Python, like the functions around it.
#ifndef TENURE_CORE_ABI_ALLOCATOR_MOMENT_H_
#define TENURE_CORE_ABI_ALLOCATOR_MOMENT_H_

namespace tenure::abi {

enum class AllocatorMoment : unsigned char {
  kNow,
  kTooEarly,        // not pre-initialised, or the runtime is to be reset once more
  kTooLate,         // an interpreter has begun
  kAskedOtherwise,  // PYTHONMALLOC or PyPreConfig.allocator names an allocator
  kNever,           // free-threaded: the collector needs the interpreter's own
};

// Thread state: none.
AllocatorMoment allocator_moment();

// Whether an interpreter has lived in this process. What it leaves behind may be freed by the next
// one. Thread state: any.
bool has_had_interpreter();

// Whether debug hooks are to stand in front of the allocators: PyMem_SetupDebugHooks() puts them
// there again. Requires: pre-initialised. Thread state: any.
bool has_debug_hooks();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_ALLOCATOR_MOMENT_H_
