// Native memory of a scope: an Arena, and what else there is for it.
//
// Usage: pool_arena million|scope ROUNDS SEED
//        pool_arena first SIDE
//        pool_arena versions
//
// million: a million blocks of mixed sizes, one after the other, the first word of each written and
// its address kept; then all of them are freed. Nanoseconds for a block: {"fill", "drop"}. Without
// any before it in its process: first.
// scope: an arena, three small blocks, and its end, for one turn of a warm loop: {"turn"}.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gnu/libc-version.h>

#include "tenure/bench/cpp/pool_sides.h"
#include "tenure/pool/arena.h"
#include "tenure/pool/mimalloc.h"

namespace tenure::bench {
namespace {

using pool::Arena;
using pool::InlineArena;
using pool::Mimalloc;

constexpr size_t kBlocks = 1'000'000;
constexpr int kTurns = 100'000;

// Half are like nodes and short names, a third like records, the rest like texts and buffers.
std::vector<uint16_t> make_sizes() {
  std::mt19937 random(1);
  std::vector<uint16_t> sizes(kBlocks);
  for (uint16_t& size : sizes) {
    const unsigned kind = random() % 1000;
    if (kind < 500) {
      size = static_cast<uint16_t>(16 + random() % 33);
    } else if (kind < 850) {
      size = static_cast<uint16_t>(48 + random() % 81);
    } else if (kind < 980) {
      size = static_cast<uint16_t>(128 + random() % 385);
    } else {
      size = static_cast<uint16_t>(512 + random() % 1537);
    }
  }
  return sizes;
}

// malloc() and free().
class Heap {
 public:
  void* allocate(size_t size) { return std::malloc(size); }
  void end(const std::vector<void*>& blocks) {
    for (void* block : blocks) std::free(block);
  }
};

class Monotonic {
 public:
  void* allocate(size_t size) { return resource_->allocate(size); }
  void end(const std::vector<void*>& /*blocks*/) { resource_.reset(); }

 private:
  std::unique_ptr<std::pmr::monotonic_buffer_resource> resource_ =
      std::make_unique<std::pmr::monotonic_buffer_resource>();
};

// Every block one of mimalloc's, in a heap that is destroyed.
class OwnHeap {
 public:
  void* allocate(size_t size) { return mi_.heap_malloc(heap_, size); }
  void end(const std::vector<void*>& /*blocks*/) { mi_.heap_destroy(heap_); }

 private:
  const Mimalloc& mi_ = pool::mimalloc();
  mi_heap_t* heap_ = mi_.heap_new();
};

// What Arena could have been: its chunks from a heap of its own, which is destroyed.
class ChunksOfOwnHeap {
 public:
  void* allocate(size_t size) {
    const auto room = static_cast<size_t>(end_ - next_);
    const size_t padding = -reinterpret_cast<uintptr_t>(next_) & 15;
    if (size <= room && padding <= room - size) [[likely]] {
      char* const block = next_ + padding;
      next_ = block + size;
      return block;
    }
    return allocate_slowly(size);
  }
  void end(const std::vector<void*>& /*blocks*/) { mi_.heap_destroy(heap_); }

 private:
  [[gnu::noinline]] void* allocate_slowly(size_t size) {
    // As Arena's is for the compiler, which could keep it in registers otherwise.
    escape(this);
    next_ = static_cast<char*>(mi_.heap_malloc(heap_, size_));
    if (next_ == nullptr) std::abort();
    end_ = next_ + size_;
    if (size_ < Arena::kLargestChunk) size_ *= 2;
    return allocate(size);
  }

  const Mimalloc& mi_ = pool::mimalloc();
  mi_heap_t* heap_ = mi_.heap_new();
  char* next_ = nullptr;
  char* end_ = nullptr;
  size_t size_ = Arena::kFirstChunk;
};

class Tenure {
 public:
  void* allocate(size_t size) { return arena_.try_allocate(size); }
  void end(const std::vector<void*>& /*blocks*/) { Arena ends = std::move(arena_); }
  void reset() { arena_.reset(); }

 private:
  Arena arena_;
};

struct Million {
  const std::vector<uint16_t> sizes = make_sizes();
  // Touched before, so that no side pays for it.
  std::vector<void*> blocks = std::vector<void*>(kBlocks, &blocks);

  template <typename Allocator>
  double fill(Allocator& from) {
    const Stopwatch time;
    for (size_t i = 0; i < kBlocks; ++i) {
      void* const block = from.allocate(sizes[i]);
      *static_cast<size_t*>(block) = i;
      blocks[i] = block;
    }
    return time.ns() / kBlocks;
  }

  template <typename Allocator>
  Sample run() {
    Allocator from;
    const double filled = fill(from);
    const Stopwatch time;
    from.end(blocks);
    return {{"fill", filled}, {"drop", time.ns() / kBlocks}};
  }

  // The second fill of one arena.
  Sample run_again() {
    Tenure from;
    fill(from);
    from.reset();
    const double filled = fill(from);
    const Stopwatch time;
    from.end(blocks);
    return {{"fill", filled}, {"drop", time.ns() / kBlocks}};
  }

  std::vector<TakingTurns> sides() {
    return {
        {"arena", [this] { return run<Tenure>(); }},
        {"malloc", [this] { return run<Heap>(); }},
        {"monotonic", [this] { return run<Monotonic>(); }},
        {"heap", [this] { return run<OwnHeap>(); }},
        {"own-heap", [this] { return run<ChunksOfOwnHeap>(); }},
        {"reset", [this] { return run_again(); }},
    };
  }
};

template <typename Allocator>
void use_three(Allocator&& allocate) {
  for (const size_t size : {24, 40, 100}) {
    void* const block = allocate(size);
    *static_cast<size_t*>(block) = size;
    escape(block);
  }
}

template <typename Turn>
Sample time_turns(Turn turn) {
  const Stopwatch time;
  for (int i = 0; i < kTurns; ++i) turn();
  return {{"turn", time.ns() / kTurns}};
}

std::vector<TakingTurns> scopes() {
  const auto arena_turn = [] {
    Arena arena;
    use_three([&](size_t size) { return arena.try_allocate(size, 8); });
  };
  const auto inline_turn = [] {
    InlineArena<256> arena;
    use_three([&](size_t size) { return arena.try_allocate(size, 8); });
  };
  const auto malloc_turn = [] {
    void* blocks[3];
    int count = 0;
    use_three([&](size_t size) { return blocks[count++] = std::malloc(size); });
    for (void* block : blocks) std::free(block);
  };
  const auto monotonic_turn = [] {
    std::pmr::monotonic_buffer_resource resource;
    use_three([&](size_t size) { return resource.allocate(size, 8); });
  };
  const auto buffer_turn = [] {
    alignas(16) std::byte room[256];
    std::pmr::monotonic_buffer_resource resource(room, sizeof room);
    use_three([&](size_t size) { return resource.allocate(size, 8); });
  };
  const auto heap_turn = [] {
    OwnHeap heap;
    use_three([&](size_t size) { return heap.allocate(size); });
    heap.end({});
  };
  const auto own_heap_turn = [] {
    ChunksOfOwnHeap chunks;
    use_three([&](size_t size) { return chunks.allocate(size); });
    chunks.end({});
  };
  return {
      {"arena", [=] { return time_turns(arena_turn); }},
      {"inline", [=] { return time_turns(inline_turn); }},
      {"malloc", [=] { return time_turns(malloc_turn); }},
      {"monotonic", [=] { return time_turns(monotonic_turn); }},
      {"buffer", [=] { return time_turns(buffer_turn); }},
      {"heap", [=] { return time_turns(heap_turn); }},
      {"own-heap", [=] { return time_turns(own_heap_turn); }},
  };
}

int run_first(std::string_view which) {
  Million million;
  // The library is opened before.
  (void)pool::mimalloc();
  for (const TakingTurns& side : million.sides()) {
    if (side.name != which) continue;
    const Sample sample = side.sample();
    std::printf("{\"fill\": %.4f, \"drop\": %.4f}\n", sample.at("fill"), sample.at("drop"));
    return 0;
  }
  std::fprintf(stderr, "there is no %.*s\n", static_cast<int>(which.size()), which.data());
  return 1;
}

int run(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "versions") {
    std::printf("{\"libc\": \"glibc %s\", \"compiler\": \"GCC %d\", \"mimalloc\": \"%s\"}\n",
                gnu_get_libc_version(), __GNUC__, pool::mimalloc().what);
    return pool::mimalloc().is_mimalloc ? 0 : 1;
  }
  if (what == "first" && argc == 3) return run_first(argv[2]);
  if (argc != 4 || (what != "million" && what != "scope")) {
    std::fprintf(stderr, "usage: pool_arena million|scope ROUNDS SEED | first SIDE | versions\n");
    return 2;
  }
  Million million;
  take_turns(what == "million" ? million.sides() : scopes(), std::atoi(argv[2]),
             static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)));
  return 0;
}

}  // namespace
}  // namespace tenure::bench

int main(int argc, char** argv) { return tenure::bench::run(argc, argv); }
