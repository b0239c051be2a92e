#include "tenure/pool/arena.h"

#include <algorithm>
#include <utility>

#include "tenure/pool/mimalloc.h"

namespace tenure::pool {

// What is in front of a chunk's room.
struct alignas(Arena::kAlignment) Arena::Chunk {
  Chunk* older;
  size_t size;  // with this

  char* begin() { return reinterpret_cast<char*>(this + 1); }
  char* end() { return reinterpret_cast<char*>(this) + size; }
};

class Arena::Resource final : public std::pmr::memory_resource {
 public:
  explicit Resource(Arena* of) : arena(of) {}

  Arena* arena;

 private:
  void* do_allocate(size_t size, size_t alignment) override {
    void* const block = arena->try_allocate(size, alignment);
    if (block == nullptr) throw_no_memory();
    return block;
  }
  void do_deallocate(void* /*block*/, size_t /*size*/, size_t /*alignment*/) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

namespace {

// Blocks of more than a part of a chunk would leave too much of the one before empty.
constexpr size_t kBlocksOfAChunk = 4;

}  // namespace

void Arena::throw_no_memory() { throw std::bad_alloc(); }

Arena::Arena(std::span<std::byte> room) noexcept
    : next_(reinterpret_cast<char*>(room.data())),
      end_(next_ + room.size()),
      room_(room),
      reserved_(room.size()) {
  internal::poison(room.data(), room.size());
}

Arena& Arena::operator=(Arena&& other) noexcept {
  if (this != &other) {
    end();
    take(other);
  }
  return *this;
}

void Arena::take(Arena& other) noexcept {
  assert(!other.destroying_);
  next_ = std::exchange(other.next_, nullptr);
  end_ = std::exchange(other.end_, nullptr);
  chunks_ = std::exchange(other.chunks_, nullptr);
  alone_ = std::exchange(other.alone_, nullptr);
  spare_ = std::exchange(other.spare_, nullptr);
  destructors_ = std::exchange(other.destructors_, nullptr);
  resource_ = std::exchange(other.resource_, nullptr);
  room_ = std::exchange(other.room_, {});
  next_size_ = std::exchange(other.next_size_, kFirstChunk);
  used_before_ = std::exchange(other.used_before_, 0);
  reserved_ = std::exchange(other.reserved_, 0);
  if (resource_ != nullptr) resource_->arena = this;
}

char* Arena::begin_of_current() const noexcept {
  return chunks_ != nullptr ? chunks_->begin() : reinterpret_cast<char*>(room_.data());
}

size_t Arena::bytes_used() const noexcept {
  return used_before_ + static_cast<size_t>(next_ - begin_of_current());
}

Arena::Chunk* Arena::take_chunk(size_t size) noexcept {
  void* const memory = internal::take_chunk(size);
  if (memory == nullptr) return nullptr;
  auto* const chunk = new (memory) Chunk{nullptr, size};
  internal::poison(chunk->begin(), size - sizeof(Chunk));
  reserved_ += size;
  return chunk;
}

void Arena::free_chunk(Chunk* chunk) noexcept {
  reserved_ -= chunk->size;
  internal::unpoison(chunk->begin(), chunk->size - sizeof(Chunk));
  internal::give_chunk_back(chunk, chunk->size);
}

void Arena::begin_chunk(Chunk* chunk) noexcept {
  used_before_ = bytes_used();
  chunk->older = std::exchange(chunks_, chunk);
  next_ = chunk->begin();
  end_ = chunk->end();
}

// The current chunk stays, and its room is used for what fits.
void* Arena::allocate_alone(size_t size, size_t alignment, size_t whole) noexcept {
  Chunk* const chunk = take_chunk(whole);
  if (chunk == nullptr) return nullptr;
  chunk->older = std::exchange(alone_, chunk);
  char* const block =
      chunk->begin() + (-reinterpret_cast<uintptr_t>(chunk->begin()) & (alignment - 1));
  internal::unpoison(block, size);
  used_before_ += size;
  return block;
}

void* Arena::allocate_slowly(size_t size, size_t alignment) noexcept {
  // Chunks are aligned to kAlignment.
  const size_t padding = alignment > kAlignment ? alignment - kAlignment : 0;
  size_t whole = 0;
  if (__builtin_add_overflow(size, padding, &whole) ||
      __builtin_add_overflow(whole, sizeof(Chunk) + internal::kRedZone, &whole)) {
    return nullptr;
  }
  if (spare_ != nullptr && whole <= spare_->size) {
    begin_chunk(std::exchange(spare_, nullptr));
    return try_allocate(size, alignment);
  }
  size_t chunk_size = next_size_;
  while (chunk_size / kBlocksOfAChunk < whole && chunk_size < kLargestChunk) chunk_size *= 2;
  if (chunk_size / kBlocksOfAChunk < whole) return allocate_alone(size, alignment, whole);
  Chunk* const chunk = take_chunk(chunk_size);
  // There may still be memory for the block itself.
  if (chunk == nullptr) return allocate_alone(size, alignment, whole);
  next_size_ = std::min(2 * chunk_size, kLargestChunk);
  begin_chunk(chunk);
  return try_allocate(size, alignment);
}

std::pmr::memory_resource* Arena::resource() noexcept {
  if (resource_ == nullptr) {
    void* const block = try_allocate(sizeof(Resource), alignof(Resource));
    if (block == nullptr) return std::pmr::null_memory_resource();
    resource_ = new (block) Resource(this);
  }
  return resource_;
}

void Arena::run_destructors(const Destructor* last) noexcept {
  // Of those too that destructors make meanwhile. A scope that begins and ends in a destructor is
  // within this one.
  const bool outer = std::exchange(destroying_, true);
  while (destructors_ != last) {
    const Destructor* const newest = destructors_;
    destructors_ = newest->older;
    newest->destroy(const_cast<Destructor*>(newest) + 1);
  }
  destroying_ = outer;
}

void Arena::keep_or_free(Chunk* chunk) noexcept {
  if (spare_ == nullptr || spare_->size < chunk->size) std::swap(spare_, chunk);
  if (chunk != nullptr) free_chunk(chunk);
}

void Arena::free_until(const Mark& mark) noexcept {
  while (chunks_ != mark.chunks) {
    Chunk* const chunk = std::exchange(chunks_, chunks_->older);
    internal::poison(chunk->begin(), chunk->size - sizeof(Chunk));
    keep_or_free(chunk);
  }
  while (alone_ != mark.alone) free_chunk(std::exchange(alone_, alone_->older));
  next_ = mark.next;
  end_ = chunks_ != nullptr ? chunks_->end() : reinterpret_cast<char*>(room_.data()) + room_.size();
  internal::poison(next_, static_cast<size_t>(end_ - next_));
  used_before_ = mark.used_before;
  resource_ = mark.resource;
}

void Arena::rewind(const Mark& mark) noexcept {
  run_destructors(mark.destructors);
  free_until(mark);
}

void Arena::reset() noexcept {
  assert(!destroying_);
  Mark beginning;
  beginning.next = reinterpret_cast<char*>(room_.data());
  rewind(beginning);
}

void Arena::trim() noexcept {
  internal::drop_kept_chunk();
  mimalloc().arenas_purge();
}

void Arena::end() noexcept {
  assert(!destroying_);
  run_destructors(nullptr);
  while (chunks_ != nullptr) free_chunk(std::exchange(chunks_, chunks_->older));
  while (alone_ != nullptr) free_chunk(std::exchange(alone_, alone_->older));
  if (spare_ != nullptr) free_chunk(std::exchange(spare_, nullptr));
  // The room is its owner's again.
  internal::unpoison(room_.data(), room_.size());
  room_ = {};
  next_ = end_ = nullptr;
  resource_ = nullptr;
  next_size_ = kFirstChunk;
  used_before_ = reserved_ = 0;
}

}  // namespace tenure::pool
