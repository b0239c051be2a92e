#include "tenure/core/lane.h"

#include <cassert>
#include <cstdlib>
#include <new>

#include <boost/lockfree/stack.hpp>

namespace tenure {

namespace {

// Empty chunks of all lanes; what does not fit is freed. Nodes are part of it, so that neither
// getting nor putting allocates or locks. Never destroyed: threads push after static destructors.
constexpr size_t kKeptChunks = 256;
using Chunks = boost::lockfree::stack<void*, boost::lockfree::capacity<kKeptChunks>>;

Chunks& kept_chunks() {
  alignas(Chunks) static unsigned char memory[sizeof(Chunks)];
  static Chunks* const chunks = new (memory) Chunks;
  return *chunks;
}

}  // namespace

void lanes_setup() { kept_chunks(); }

bool Lane::grow(uint64_t position) {
  // Put there by an owner that a fork has taken away before it could publish.
  if (write_ != nullptr && write_->first == position) return true;
  // Partner: retire(). Without a consumer nobody reads the chunk.
  if (write_ != nullptr && retired_.load(std::memory_order_acquire)) {
    write_->first = position;
    return true;
  }
  void* memory = nullptr;
  if (!kept_chunks().pop(memory)) memory = std::malloc(sizeof(Chunk));
  if (memory == nullptr) return false;
  auto* chunk = static_cast<Chunk*>(memory);
  new (&chunk->next) std::atomic<Chunk*>(nullptr);
  chunk->first = position;
  // Relaxed: the tail that is stored next publishes them. Linked before it becomes the one to write
  // to, so that a fork in between leaves nothing but a chunk too many.
  if (write_ != nullptr) {
    write_->next.store(chunk, std::memory_order_relaxed);
  } else {
    first_chunk_.store(chunk, std::memory_order_relaxed);
  }
  write_ = chunk;
  return true;
}

bool Lane::prepare() {
  const uint64_t position = tail_.load(std::memory_order_relaxed);
  if (write_ != nullptr || position % kSlots == 0) return true;
  // Stripped in the middle of a chunk.
  return grow(position - position % kSlots);
}

void Lane::next_chunk() {
  if (read_ == nullptr) {
    read_ = first_chunk_.load(std::memory_order_relaxed);
    return;
  }
  Chunk* empty = read_;
  read_ = empty->next.load(std::memory_order_relaxed);
  if (!kept_chunks().push(empty)) std::free(empty);
}

void Lane::strip() {
  assert(is_empty() || retired_.load(std::memory_order_relaxed));
  Chunk* chunk = write_;
  if (chunk == nullptr) return;
  // A lane that is empty at a chunk's end may not have gone on to read the last one.
  for (Chunk* read = read_ != nullptr ? read_ : first_chunk_.load(std::memory_order_relaxed);
       read != nullptr && read != chunk;) {
    Chunk* empty = read;
    read = read->next.load(std::memory_order_relaxed);
    std::free(empty);
  }
  read_ = nullptr;
  write_ = nullptr;
  first_chunk_.store(nullptr, std::memory_order_relaxed);
  if (!kept_chunks().push(chunk)) std::free(chunk);
}

}  // namespace tenure
