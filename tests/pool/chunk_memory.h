// mimalloc with memory taken away, for tests of what is made of chunks.
//
// Thread safety: one thread at a time; no other thread uses the table meanwhile.
#ifndef TENURE_TESTS_POOL_CHUNK_MEMORY_H_
#define TENURE_TESTS_POOL_CHUNK_MEMORY_H_

#include <cstdlib>
#include <limits>

#include "tenure/pool/chunks.h"
#include "tenure/pool/mimalloc.h"

namespace tenure::testing {

// While it lives, the n-th chunk from now on and all after it are not to be had, counted from 0;
// and chunks that are taken and freed are counted.
class FailingChunks {
 public:
  explicit FailingChunks(long n = std::numeric_limits<long>::max()) {
    pool::internal::drop_kept_chunk();
    real = &pool::mimalloc();
    left = n;
    taken = freed = 0;
    table = *real;
    table.heap_malloc = [](mi_heap_t* heap, size_t size) noexcept -> void* {
      if (left <= 0) return nullptr;
      --left;
      void* const block = real->heap_malloc(heap, size);
      taken += block != nullptr ? 1 : 0;
      return block;
    };
    table.free = [](void* block) noexcept {
      ++freed;
      real->free(block);
    };
    pool::replace_mimalloc_for_testing(&table);
  }
  ~FailingChunks() {
    pool::internal::drop_kept_chunk();
    pool::replace_mimalloc_for_testing(real);
  }
  FailingChunks(const FailingChunks&) = delete;
  FailingChunks& operator=(const FailingChunks&) = delete;

  // How many are not freed, the one that this thread keeps not among them.
  long live() {
    pool::internal::drop_kept_chunk();
    return taken - freed;
  }
  long made() const { return taken; }
  void fail_from_now_on() { left = 0; }

 private:
  static inline const pool::Mimalloc* real = nullptr;
  static inline pool::Mimalloc table = {};
  static inline long left = 0;
  static inline long taken = 0;
  static inline long freed = 0;
};

}  // namespace tenure::testing

#endif  // TENURE_TESTS_POOL_CHUNK_MEMORY_H_
