// The packaged mimalloc, found when it is first needed.
//
// The library is opened by name and its functions are kept in a table. Linking with it would not
// do: it exports malloc() and free() as well, which would become those of every program that links
// us, and CPython has a copy of its own under the same names. Opened like this it is in nobody's
// sight, and a process that never needs it does not load it. All copies of this table, in however
// many modules, are of the one library.
//
// Where the library is not installed, the table has functions over malloc() in its place, which
// give and take memory all the same, without heaps: see is_mimalloc.
//
// Not for: memory that is a Python object's in the eyes of CPython, or that CPython will free.
//
// Built for a sanitizer, the table has these functions, too: it is to see each block, and how
// threads pass blocks to each other.
//
// Thread safety: any thread, attached or not, except where mimalloc itself says otherwise. A heap
// may be allocated from by any thread, and a block of any heap be freed by any thread. A thread may
// fork while others allocate: see fork_gate.h.
#ifndef TENURE_POOL_MIMALLOC_H_
#define TENURE_POOL_MIMALLOC_H_

#include <mimalloc.h>

#include <atomic>

#include <mimalloc-stats.h>

namespace tenure::pool {

// The functions by their names in mimalloc.h, with its contracts.
struct Mimalloc {
  decltype(&mi_heap_new) heap_new;
  // Blocks that are still in use go on living, in the main heap.
  decltype(&mi_heap_delete) heap_delete;
  // All blocks are freed. Only where is_mimalloc: otherwise nobody knows which they are.
  decltype(&mi_heap_destroy) heap_destroy;
  decltype(&mi_heap_collect) heap_collect;
  decltype(&mi_heap_malloc) heap_malloc;
  decltype(&mi_heap_zalloc) heap_zalloc;
  decltype(&mi_heap_calloc) heap_calloc;
  // Of a block of any heap, or null; null if there is no memory, with the block as it was.
  decltype(&mi_heap_realloc) heap_realloc;
  decltype(&mi_heap_malloc_aligned) heap_malloc_aligned;
  decltype(&mi_heap_stats_get) heap_stats_get;
  // Requires: nobody else uses the heap meanwhile. False without mimalloc.
  decltype(&mi_heap_visit_blocks) heap_visit_blocks;
  decltype(&mi_heap_main) heap_main;
  decltype(&mi_free) free;
  decltype(&mi_usable_size) usable_size;
  decltype(&mi_collect) collect;
  // Gives memory that no heap uses back to the system at once.
  decltype(&mi_arenas_purge) arenas_purge;

  // False if the functions are the stand-ins over malloc(). Heaps are then names only:
  // heap_destroy() and heap_collect() do nothing, heap_stats_get() and heap_visit_blocks() answer
  // false.
  bool is_mimalloc;
  // "mimalloc 3.6", or "malloc: " and why mimalloc is not there.
  char what[160];
};

namespace internal {
// Null until load_mimalloc(). Acquire: partner of its release, which publishes the table.
extern std::atomic<const Mimalloc*> mimalloc_table;
const Mimalloc& load_mimalloc();
}  // namespace internal

// Never fails. Thread state: any. May load a library, so not from a signal handler.
inline const Mimalloc& mimalloc() {
  const Mimalloc* table = internal::mimalloc_table.load(std::memory_order_acquire);
  if (table != nullptr) [[likely]]
    return *table;
  return internal::load_mimalloc();
}

// For tests that take memory away: all of this copy's calls go through `table`, which has to stay.
// Null for the library's own again. Requires: no other thread is in mimalloc().
void replace_mimalloc_for_testing(const Mimalloc* table);

// For tests of the library itself: its functions, also where the build is for a sanitizer; the
// stand-ins if it is not there. Never fails. Thread state: any.
const Mimalloc& packaged_mimalloc_for_testing();

// For tests that the stand-ins do. Never fails. Thread state: any.
const Mimalloc& stand_ins_for_testing();

}  // namespace tenure::pool

#endif  // TENURE_POOL_MIMALLOC_H_
