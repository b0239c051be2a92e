// CPython's own memory on mimalloc, for programs that embed it.
//
//   PyPreConfig preconfig;
//   PyPreConfig_InitIsolatedConfig(&preconfig);
//   Py_PreInitialize(&preconfig);
//   const tenure::pool::AllocatorAnswer answer = tenure::pool::install_allocator();
//   if (!answer) std::fprintf(stderr, "%s\n", answer.reason);   // and go on with CPython's own
//   Py_InitializeFromConfig(&config);
//
// Two of CPython's three domains are moved, each to a heap of its own: that of objects and that of
// PyMem_Malloc(), such as the items of lists and the tables of dicts. The third, the raw one, stays
// with malloc(): what is allocated there may be older than any moment at which it could be moved.
//
// Not for: extension modules, which come too late. Not for the free-threaded build, which needs the
// mimalloc of its own.
//
// Thread safety: install_allocator() is for the thread that initialises Python. What it installs is
// safe for all threads, and for interpreters with GILs of their own.
#ifndef TENURE_POOL_ALLOCATOR_H_
#define TENURE_POOL_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>

namespace tenure::pool {

enum class AllocatorStatus : unsigned char {
  kInstalled,
  kTooEarly,        // Python is not pre-initialised
  kTooLate,         // an interpreter has begun, or has lived here with another allocator
  kAskedOtherwise,  // by PYTHONMALLOC or PyPreConfig.allocator
  kFreeThreaded,
  kNoMimalloc,
  kNoMemory,
};

struct [[nodiscard]] AllocatorAnswer {
  AllocatorStatus status;
  // Why not, and the way out, in one sentence; null if it is installed. Static.
  const char* reason;

  explicit operator bool() const { return status == AllocatorStatus::kInstalled; }
};

struct AllocatorDomains {
  bool objects = true;  // PYMEM_DOMAIN_OBJ
  bool memory = true;   // PYMEM_DOMAIN_MEM
};

// Puts mimalloc behind the domains, under the debug hooks if the interpreter is to have any. If it
// cannot, nothing is changed. A domain that has it already keeps it; once an interpreter runs with
// it, asking again changes nothing.
//
// Requires: Py_PreInitialize() before and no interpreter yet, in each life of Python in the
// process: finalizing takes CPython's allocators back, and what an interpreter leaves behind is
// freed by the next one. Thread state: none.
AllocatorAnswer install_allocator(AllocatorDomains domains = {});

// What a domain has asked for since the process began, in all interpreters.
//
// Exact for what the calling thread has done; what other threads that still run have done may be
// missing for as much as one page of each size of blocks.
struct DomainStatistics {
  // bytes <= peak_bytes, frees <= allocations. A block's bytes are those it takes, not those that
  // were asked for.
  uint64_t bytes = 0;
  uint64_t peak_bytes = 0;
  uint64_t allocations = 0;
  uint64_t frees = 0;
  // Of the pages that the domain has now: bytes <= committed_bytes. 0 if that cannot be looked at:
  // the calling thread is not attached, or there is another interpreter.
  uint64_t committed_bytes = 0;
};

struct AllocatorStatistics {
  // Whether the interpreter that runs, or is to begin, has it. The numbers stay if not.
  bool is_installed = false;
  DomainStatistics objects;
  DomainStatistics memory;
};

// Walks the pages of both domains: microseconds to milliseconds. Thread state: any; attached to the
// main interpreter for committed_bytes.
AllocatorStatistics allocator_statistics();

// Gives memory that the domains do not use back to the system, but for pages of other threads. To
// have much of it, collect garbage first. Thread state: any.
void trim_allocator();

}  // namespace tenure::pool

#endif  // TENURE_POOL_ALLOCATOR_H_
