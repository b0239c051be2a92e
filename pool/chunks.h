// The memory of arenas and pools of references: chunks of mimalloc's main heap, and one small chunk
// for each thread that is kept between them, so that a short scope asks nobody for memory.
//
// Not for: anything outside pool/.
//
// Thread safety: any thread, attached or not; a chunk may be given back by another thread than the
// one that took it.
#ifndef TENURE_POOL_CHUNKS_H_
#define TENURE_POOL_CHUNKS_H_

#include <cstddef>

namespace tenure::pool::internal {

// The size of the chunk that a thread keeps.
inline constexpr size_t kSmallChunk = 4096;

// Null if there is no memory. Not initialized.
void* take_chunk(size_t size) noexcept;

// Requires: from take_chunk(size), and not poisoned.
void give_chunk_back(void* chunk, size_t size) noexcept;

// Gives the chunk that this thread keeps back.
void drop_kept_chunk() noexcept;

}  // namespace tenure::pool::internal

#endif  // TENURE_POOL_CHUNKS_H_
