// Arena: memory and objects of a scope, freed together.
//
// Blocks are cut one after the other from chunks that grow from 4 KiB to 1 MiB, and all of them are
// freed in one call. An allocation is a few instructions, and there is no freeing of single blocks.
// Objects made by make() are destroyed, the newest first, if their type needs it.
//
//   Arena arena;
//   std::pmr::vector<Token> tokens(arena.resource());
//   Node* root = arena.make<Node>(...);
//   std::string_view name = arena.copy(text.substr(0, 5));
//
// What cannot be had for want of memory: try_ functions answer null; the others, which are there
// where exceptions are, throw std::bad_alloc, which is a MemoryError in Python when it leaves a
// bound function. Code without exceptions says
//
//   if (block == nullptr) return PyErr_NoMemory();
//
// An InlineArena has room of its own for what comes first. An ArenaScope frees what is allocated in
// its scope only.
//
// Destructors may run any code. In it they may allocate in the arena, and make objects, which are
// destroyed before the memory goes; they may not reset, move or end it.
//
// Not for: objects that die one by one, of which the memory is to be used again (InstancePool for
// those of Python, malloc() for others); large buffers that grow, each of whose copies stays.
//
// Under AddressSanitizer whatever is not handed out is poisoned.
//
// Thread safety: one thread at a time. Any, attached or not; whoever ends it has to be attached if
// handles are in it. In the child of a fork it is a copy like everything else.
#ifndef TENURE_POOL_ARENA_H_
#define TENURE_POOL_ARENA_H_

#include <algorithm>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tenure/pool/chunks.h"
#include "tenure/pool/poison.h"

namespace tenure::pool {

// For types whose destructor would only give memory of the arena back: it does not run.
//
//   template <>
//   inline constexpr bool tenure::pool::kSkipsDestructor<Node> = true;
template <typename T>
inline constexpr bool kSkipsDestructor = std::is_trivially_destructible_v<T>;

class Arena {
 public:
  static constexpr size_t kAlignment = alignof(std::max_align_t);
  static constexpr size_t kFirstChunk = internal::kSmallChunk;
  static constexpr size_t kLargestChunk = size_t{1} << 20;

  // Takes no memory before it is asked for some.
  Arena() noexcept = default;

  // Begins with this room, which is the caller's and has to stay.
  explicit Arena(std::span<std::byte> room) noexcept;

  // Blocks, objects and resource() stay where they are and are the new arena's; the old one is
  // empty. Requires: no destructor of it is running; no Mark of it is used afterwards.
  Arena(Arena&& other) noexcept { take(other); }
  Arena& operator=(Arena&& other) noexcept;
  // Its room would stay behind.
  template <std::derived_from<Arena> Other>
    requires(!std::same_as<Other, Arena>)
  Arena(Other&&) = delete;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  ~Arena() { end(); }

  // A block, aligned as asked, its bytes not initialized. One of no bytes has an address of its
  // own too. Null if there is no memory. Requires: alignment is a power of two.
  [[nodiscard]] void* try_allocate(size_t size, size_t alignment = kAlignment) noexcept {
    assert(std::has_single_bit(alignment));
    size += size == 0 ? 1 : 0;
    const auto room = static_cast<size_t>(end_ - next_);
    const size_t padding = -reinterpret_cast<uintptr_t>(next_) & (alignment - 1);
    if (size <= room && padding <= room - size) [[likely]] {
      char* const block = next_ + padding;
      hand_out(block, size);
      return block;
    }
    return allocate_slowly(size, alignment);
  }

  // A new T; null if there is no memory. What its constructor throws passes.
  template <typename T, typename... Arguments>
  [[nodiscard]] T* try_make(Arguments&&... arguments) {
    if constexpr (kSkipsDestructor<T>) {
      void* const block = try_allocate(sizeof(T), alignof(T));
      return block == nullptr ? nullptr : new (block) T(std::forward<Arguments>(arguments)...);
    } else {
      // The destructor's entry right in front of the object.
      constexpr size_t kBefore = std::max(alignof(T), sizeof(Destructor));
      auto* const block = static_cast<char*>(
          try_allocate(kBefore + sizeof(T), std::max(alignof(T), alignof(Destructor))));
      if (block == nullptr) return nullptr;
      T* const object = new (block + kBefore) T(std::forward<Arguments>(arguments)...);
      // Only what has been made is destroyed.
      destructors_ = new (block + kBefore - sizeof(Destructor))
          Destructor{destructors_, [](void* made) { static_cast<T*>(made)->~T(); }};
      return object;
    }
  }

  // That many value-initialized Ts, whose destructors do not run. Its data() is null if there is no
  // memory, or never could be.
  template <typename T>
    requires kSkipsDestructor<T>
  [[nodiscard]] std::span<T> try_make_span(size_t count) {
    if (count > PTRDIFF_MAX / sizeof(T)) return {};
    void* const block = try_allocate(count * sizeof(T), alignof(T));
    if (block == nullptr) return {};
    T* const first = static_cast<T*>(block);
    for (size_t i = 0; i < count; ++i) new (first + i) T();
    return {first, count};
  }

  // Copies, with a null character behind it that is not counted. data() is null if there is no
  // memory.
  [[nodiscard]] std::string_view try_copy(std::string_view text) noexcept {
    auto* const block = static_cast<char*>(try_allocate(text.size() + 1, 1));
    if (block == nullptr) return {};
    if (!text.empty()) std::memcpy(block, text.data(), text.size());
    block[text.size()] = '\0';
    return {block, text.size()};
  }

  // Copies. data() is null if there is no memory.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::span<T> try_copy(std::span<const T> items) noexcept {
    void* const block = try_allocate(items.size_bytes(), alignof(T));
    if (block == nullptr) return {};
    if (!items.empty()) std::memcpy(block, items.data(), items.size_bytes());
    return {static_cast<T*>(block), items.size()};
  }

#ifdef __cpp_exceptions
  // The same, throwing std::bad_alloc.
  [[nodiscard]] void* allocate(size_t size, size_t alignment = kAlignment) {
    void* const block = try_allocate(size, alignment);
    if (block == nullptr) [[unlikely]]
      throw_no_memory();
    return block;
  }
  template <typename T, typename... Arguments>
  T* make(Arguments&&... arguments) {
    T* const made = try_make<T>(std::forward<Arguments>(arguments)...);
    if (made == nullptr) [[unlikely]]
      throw_no_memory();
    return made;
  }
  template <typename T>
  [[nodiscard]] std::span<T> make_span(size_t count) {
    const std::span<T> made = try_make_span<T>(count);
    if (made.data() == nullptr) [[unlikely]]
      throw_no_memory();
    return made;
  }
  [[nodiscard]] std::string_view copy(std::string_view text) {
    const std::string_view made = try_copy(text);
    if (made.data() == nullptr) [[unlikely]]
      throw_no_memory();
    return made;
  }
  template <typename T>
  [[nodiscard]] std::span<T> copy(std::span<const T> items) {
    const std::span<T> made = try_copy(items);
    if (made.data() == nullptr) [[unlikely]]
      throw_no_memory();
    return made;
  }
#endif

  // For containers of std::pmr: gives memory of this arena, and takes none back. It goes with the
  // arena's content when that is moved, and ends with it. Where there is no memory even for the
  // resource, it is one that throws std::bad_alloc at every allocation.
  [[nodiscard]] std::pmr::memory_resource* resource() noexcept;

  // Runs all destructors and frees everything, but for the largest chunk of the usual sizes, which
  // is kept for what comes next. Requires: no destructor of the arena is running.
  void reset() noexcept;

  // Gives memory that ended arenas have freed back to the system, all of mimalloc's that nobody
  // uses with it, and the chunk that this thread keeps. What mimalloc does by itself may come late,
  // or never. Thread state: any. Takes as long as the kernel does, 0.1 ms for each MB or less.
  static void trim() noexcept;

  // A place to come back to.
  class Mark;
  [[nodiscard]] Mark mark() const noexcept;

  // Frees what was allocated since, as reset() does. Requires: of this arena, which has not been
  // reset, moved or brought back to an older mark since.
  void rewind(const Mark& mark) noexcept;

  // Bytes of blocks that were handed out, with what is lost to their alignment.
  [[nodiscard]] size_t bytes_used() const noexcept;
  // Bytes that were taken for them.
  [[nodiscard]] size_t bytes_reserved() const noexcept { return reserved_; }

 protected:
  // Runs all destructors and frees everything.
  void end() noexcept;

 private:
  struct Chunk;
  class Resource;
  struct Destructor {
    Destructor* older;
    void (*destroy)(void* object);  // which stands right behind
  };

  void hand_out(char* block, size_t size) noexcept {
    next_ = block + size;
    internal::unpoison(block, size);
    if constexpr (internal::kRedZone > 0) {
      const auto left = static_cast<size_t>(end_ - next_);
      next_ += left < internal::kRedZone ? left : internal::kRedZone;
    }
  }

  [[noreturn]] static void throw_no_memory();
  [[gnu::noinline]] void* allocate_slowly(size_t size, size_t alignment) noexcept;
  Chunk* take_chunk(size_t size) noexcept;
  void* allocate_alone(size_t size, size_t alignment, size_t whole) noexcept;
  void begin_chunk(Chunk* chunk) noexcept;
  void run_destructors(const Destructor* last) noexcept;
  void free_chunk(Chunk* chunk) noexcept;
  void keep_or_free(Chunk* chunk) noexcept;
  void free_until(const Mark& mark) noexcept;
  char* begin_of_current() const noexcept;
  void take(Arena& other) noexcept;

  // Invariants: begin_of_current() <= next_ <= end_; what lies between the last two is poisoned.
  // used_before_ counts what chunks_ but the first and alone_ have handed out; reserved_ all of
  // room_, chunks_, alone_ and spare_.
  char* next_ = nullptr;
  char* end_ = nullptr;
  Chunk* chunks_ = nullptr;  // the newest first; none while room_ lasts
  Chunk* alone_ = nullptr;   // of one block each, the newest first
  Chunk* spare_ = nullptr;
  Destructor* destructors_ = nullptr;
  Resource* resource_ = nullptr;
  std::span<std::byte> room_;
  size_t next_size_ = kFirstChunk;
  size_t used_before_ = 0;
  size_t reserved_ = 0;
  bool destroying_ = false;
};

class Arena::Mark {
 private:
  friend class Arena;

  char* next = nullptr;
  Chunk* chunks = nullptr;
  Chunk* alone = nullptr;
  const Destructor* destructors = nullptr;
  Resource* resource = nullptr;
  size_t used_before = 0;
};

inline Arena::Mark Arena::mark() const noexcept {
  Mark mark;
  mark.next = next_;
  mark.chunks = chunks_;
  mark.alone = alone_;
  mark.destructors = destructors_;
  mark.resource = resource_;
  mark.used_before = used_before_;
  return mark;
}

// Frees what an arena hands out within its scope, at the scope's end. Scopes of one arena nest.
class [[nodiscard]] ArenaScope {
 public:
  // The arena has to stay where it is.
  explicit ArenaScope(Arena& arena) noexcept : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.rewind(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  const Arena::Mark mark_;
};

// An arena that begins with room of its own: nothing is asked for memory before that is full.
template <size_t kSize>
class InlineArena : public Arena {
 public:
  InlineArena() noexcept : Arena(std::span(room_)) {}
  // Here, where the room is still there.
  ~InlineArena() { end(); }
  InlineArena(const InlineArena&) = delete;
  InlineArena& operator=(const InlineArena&) = delete;

 private:
  alignas(kAlignment) std::byte room_[kSize];
};

}  // namespace tenure::pool

#endif  // TENURE_POOL_ARENA_H_
