#include "tenure/pool/arena.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/pool/chunk_memory.h"

namespace tenure::pool {
namespace {

using testing::FailingChunks;

static_assert(!std::is_copy_constructible_v<Arena> && !std::is_copy_assignable_v<Arena>);
static_assert(std::is_nothrow_move_constructible_v<Arena>);
static_assert(std::is_nothrow_move_assignable_v<Arena>);
static_assert(!std::is_move_constructible_v<InlineArena<64>>);
static_assert(!std::is_constructible_v<Arena, InlineArena<64>>, "its room would stay behind");

constexpr size_t kMany = std::numeric_limits<size_t>::max();

bool is_aligned(const void* block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

// Says when it is destroyed.
struct Noted {
  Noted(std::vector<int>& to, int is) : deaths(to), number(is) {}
  ~Noted() { deaths.push_back(number); }

  std::vector<int>& deaths;
  int number;
};

// Runs anything when it is destroyed.
struct Ending {
  explicit Ending(std::function<void()> what) : at_end(std::move(what)) {}
  ~Ending() { at_end(); }

  std::function<void()> at_end;
};

TEST(ArenaTest, BlocksAreDisjointAndStay) {
  std::mt19937 random(1);
  Arena arena;
  std::vector<std::pair<unsigned char*, size_t>> blocks;
  for (int i = 0; i < 20'000; ++i) {
    const size_t size = random() % 100 == 0 ? random() % 300'000 : random() % 200;
    const size_t alignment = size_t{1} << random() % 9;
    auto* const block = static_cast<unsigned char*>(arena.allocate(size, alignment));
    ASSERT_TRUE(is_aligned(block, alignment));
    std::memset(block, i % 251, size);
    blocks.emplace_back(block, size);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, size] = blocks[i];
    ASSERT_TRUE(std::all_of(block, block + size, [&](unsigned char c) { return c == i % 251; }))
        << i;
  }
}

TEST(ArenaTest, AlignsToAnyPowerOfTwo) {
  Arena arena;
  for (int shift = 0; shift <= 22; ++shift) {
    const size_t alignment = size_t{1} << shift;
    for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, alignment}) {
      void* const block = arena.allocate(size, alignment);
      ASSERT_TRUE(is_aligned(block, alignment)) << alignment;
      std::memset(block, 1, size);
    }
  }
}

TEST(ArenaTest, BlocksOfNoBytesHaveAddressesOfTheirOwn) {
  Arena arena;
  void* const first = arena.try_allocate(0);
  void* const second = arena.try_allocate(0, 1);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  EXPECT_NE(first, second);
}

TEST(ArenaTest, AnswersNullForWhatNoMemoryHolds) {
  Arena arena;
  for (const size_t alignment : {size_t{1}, Arena::kAlignment, size_t{4096}, size_t{1} << 62}) {
    for (const size_t size : {kMany, kMany - 1, kMany - 16, kMany - 4096, kMany / 2}) {
      EXPECT_EQ(arena.try_allocate(size, alignment), nullptr) << size << " to " << alignment;
    }
  }
  EXPECT_EQ(arena.try_allocate(1, size_t{1} << 63), nullptr);
  EXPECT_EQ(arena.try_make_span<long>(kMany / 8 + 1).data(), nullptr);
  EXPECT_EQ(arena.try_make_span<long>(kMany / 8).data(), nullptr);
  EXPECT_EQ(arena.bytes_used(), 0U);
  EXPECT_NE(arena.try_allocate(1), nullptr) << "it goes on after that";
}

TEST(ArenaTest, TakesNothingBeforeItIsAsked) {
  FailingChunks memory;
  {
    Arena arena;
    EXPECT_EQ(arena.bytes_reserved(), 0U);
    EXPECT_EQ(arena.bytes_used(), 0U);
    Arena other = std::move(arena);
    other.reset();
  }
  EXPECT_EQ(memory.made(), 0);
}

TEST(ArenaTest, LargeBlocksHaveChunksOfTheirOwn) {
  FailingChunks memory;
  Arena arena;
  auto* const before = static_cast<char*>(arena.allocate(16));
  auto* const large = static_cast<char*>(arena.allocate(5 << 20));
  std::memset(large, 1, 5 << 20);
  auto* const after = static_cast<char*>(arena.allocate(16));
  EXPECT_EQ(after - before, static_cast<ptrdiff_t>(16 + internal::kRedZone))
      << "what was left of the chunk is used";
  EXPECT_EQ(memory.made(), 2);
  EXPECT_GE(arena.bytes_used(), (5U << 20) + 32);
  EXPECT_LE(arena.bytes_reserved(), (5U << 20) + 8192);
}

TEST(ArenaTest, GrowsByFewChunksThatAreFull) {
  FailingChunks memory;
  Arena arena;
  for (int i = 0; i < 1'000'000; ++i) ASSERT_NE(arena.try_allocate(40, 8), nullptr);
  EXPECT_GE(arena.bytes_used(), 40'000'000U);
  EXPECT_LE(arena.bytes_reserved(), arena.bytes_used() + 2 * Arena::kLargestChunk);
  EXPECT_LE(static_cast<size_t>(memory.made()), arena.bytes_reserved() / Arena::kLargestChunk + 10);
  arena.reset();
  EXPECT_EQ(arena.bytes_used(), 0U);
  EXPECT_EQ(arena.bytes_reserved(), Arena::kLargestChunk);
  EXPECT_EQ(memory.live(), 1);
}

TEST(ArenaTest, MidSizedBlocksShareChunks) {
  FailingChunks memory;
  Arena arena;
  for (int i = 0; i < 1000; ++i) ASSERT_NE(arena.try_allocate(3000), nullptr);
  EXPECT_LT(memory.made(), 30);
}

TEST(ArenaTest, FreesAllOfIt) {
  FailingChunks memory;
  {
    Arena arena;
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 1000; ++i) (void)arena.allocate(i * 37 % 5000);
      (void)arena.allocate(3 << 20, 1 << 12);
      if (round == 1) arena.reset();
    }
    Arena other = std::move(arena);
    (void)arena.allocate(10);  // NOLINT(bugprone-use-after-move): it is empty, and good
    arena = std::move(other);
    EXPECT_GT(memory.live(), 1);
  }
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, ResetBeginsAnewWithWhatIsThere) {
  Arena arena;
  for (int i = 0; i < 100'000; ++i) (void)arena.allocate(64);
  arena.reset();
  FailingChunks memory(0);
  // Nothing is asked for before the chunk that was kept is full.
  for (size_t used = 0; used + 2048 < Arena::kLargestChunk; used += 80) {
    ASSERT_NE(arena.try_allocate(64), nullptr);
  }
  while (arena.try_allocate(64) != nullptr) {
  }
  EXPECT_LE(arena.bytes_used(), Arena::kLargestChunk);
  arena = Arena();
}

TEST(ArenaTest, DestroysWhatNeedsItTheNewestFirst) {
  std::vector<int> deaths;
  {
    Arena arena;
    for (int i = 0; i < 5; ++i) {
      arena.make<Noted>(deaths, i);
      (void)arena.allocate(2000);
      arena.make<int>(i);
    }
    arena.reset();
    EXPECT_EQ(deaths, (std::vector<int>{4, 3, 2, 1, 0}));
    arena.make<Noted>(deaths, 9);
  }
  EXPECT_EQ(deaths, (std::vector<int>{4, 3, 2, 1, 0, 9}));
}

TEST(ArenaTest, TrivialObjectsCostNothingMore) {
  Arena arena;
  struct Node {
    long value;
    Node* next;
  };
  (void)arena.allocate(1);
  const size_t before = arena.bytes_used();
  for (int i = 0; i < 100; ++i) arena.make<Node>(Node{i, nullptr});
  EXPECT_LE(arena.bytes_used() - before, 100 * (sizeof(Node) + internal::kRedZone) + 16);
}

struct Skipped : Noted {
  using Noted::Noted;
};

struct alignas(512) Wide {
  explicit Wide(std::vector<int>& to) : noted(to, 1) {}
  Noted noted;
};

TEST(ArenaTest, ObjectsAreAligned) {
  std::vector<int> deaths;
  Arena arena;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(is_aligned(arena.make<Wide>(deaths), 512));
    EXPECT_TRUE(is_aligned(arena.make<Noted>(deaths, 2), alignof(Noted)));
    arena.make<char>('x');
  }
  arena.reset();
  EXPECT_EQ(deaths.size(), 40U);
}

TEST(ArenaTest, WhatFailsToBeMadeIsNotDestroyed) {
  struct Thrower {
    explicit Thrower(bool fails) {
      if (fails) throw std::runtime_error("no");
    }
    ~Thrower() { ++destroyed(); }
    static int& destroyed() {
      static int count = 0;
      return count;
    }
  };
  {
    Arena arena;
    arena.make<Thrower>(false);
    EXPECT_THROW(arena.make<Thrower>(true), std::runtime_error);
  }
  EXPECT_EQ(Thrower::destroyed(), 1);
}

TEST(ArenaTest, DestructorsMayUseTheArena) {
  std::vector<int> deaths;
  FailingChunks memory;
  {
    Arena arena;
    arena.make<Noted>(deaths, 0);
    arena.make<Ending>([&] {
      deaths.push_back(1);
      for (int i = 0; i < 1000; ++i) std::memset(arena.allocate(1000), 1, 1000);
      arena.make<Ending>([&] {
        deaths.push_back(2);
        arena.make<Noted>(deaths, 3);
        const ArenaScope scope(arena);
        arena.make<Noted>(deaths, 4);
        (void)arena.allocate(3 << 20);
      });
    });
    arena.reset();
    EXPECT_EQ(deaths, (std::vector<int>{1, 2, 4, 3, 0}));
    EXPECT_EQ(arena.bytes_used(), 0U);
    deaths.clear();
    arena.make<Ending>([&] { arena.make<Noted>(deaths, 5); });
  }
  EXPECT_EQ(deaths, (std::vector<int>{5}));
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, Copies) {
  Arena arena;
  std::string text = "a text";
  const std::string_view copy = arena.copy(std::string_view(text));
  text[0] = 'x';
  EXPECT_EQ(copy, "a text");
  EXPECT_EQ(copy.data()[copy.size()], '\0');
  EXPECT_NE(arena.copy(std::string_view()).data(), nullptr);
  const std::array<int, 3> numbers = {1, 2, 3};
  const std::span<int> more = arena.copy(std::span<const int>(numbers));
  EXPECT_TRUE(std::equal(more.begin(), more.end(), numbers.begin(), numbers.end()));
  EXPECT_NE(arena.copy(std::span<const int>()).data(), nullptr);
  const std::span<double> zeros = arena.make_span<double>(1000);
  EXPECT_EQ(std::count(zeros.begin(), zeros.end(), 0.0), 1000);
  EXPECT_TRUE(arena.make_span<double>(0).empty());
}

TEST(ArenaTest, IsAMemoryResource) {
  FailingChunks memory;
  {
    Arena arena;
    std::pmr::memory_resource* const resource = arena.resource();
    EXPECT_EQ(resource, arena.resource());
    EXPECT_TRUE(resource->is_equal(*resource));
    Arena other;
    EXPECT_FALSE(resource->is_equal(*other.resource()));
    std::pmr::map<std::pmr::string, std::pmr::vector<int>> all(resource);
    for (int i = 0; i < 1000; ++i) {
      all[std::pmr::string(30, static_cast<char>('a' + i % 26)) + std::to_string(i).c_str()]
          .push_back(i);
    }
    EXPECT_EQ(all.size(), 1000U);
    EXPECT_EQ(all.begin()->second.get_allocator().resource(), resource);
    // Volatile: the compiler warns of sizes that it knows to be too large.
    const volatile size_t too_much = kMany - 100;
    EXPECT_THROW((void)resource->allocate(too_much), std::bad_alloc);
    struct alignas(256) Wide256 {
      char bytes[256];
    };
    EXPECT_TRUE(is_aligned(resource->allocate(1, 256), 256));
  }
  EXPECT_EQ(memory.live(), 0);
}

struct Document {
  Arena arena;
  std::pmr::vector<std::pmr::string>* lines = nullptr;
};

Document parse() {
  Document document;
  document.lines =
      document.arena.make<std::pmr::vector<std::pmr::string>>(document.arena.resource());
  document.lines->emplace_back("a line that is too long to be kept inside of a string");
  return document;
}

TEST(ArenaTest, ContainersMoveWithIt) {
  Document document = parse();
  Document moved = std::move(document);
  for (int i = 0; i < 1000; ++i) moved.lines->emplace_back(moved.lines->front());
  EXPECT_EQ(moved.lines->back(), "a line that is too long to be kept inside of a string");
  EXPECT_EQ(document.arena.bytes_used(), 0U);  // NOLINT(bugprone-use-after-move)
  Document third;
  third.arena.make<int>(1);
  third = std::move(moved);
  third.lines->emplace_back("x");
  EXPECT_EQ(third.lines->size(), 1002U);
}

TEST(ArenaTest, MovesAndIsAssignedToItself) {
  std::vector<int> deaths;
  Arena arena;
  int* const number = arena.make<int>(5);
  arena.make<Noted>(deaths, 1);
  Arena& same = arena;
  arena = std::move(same);
  EXPECT_TRUE(deaths.empty());
  Arena other = std::move(arena);
  EXPECT_EQ(*number, 5);
  EXPECT_TRUE(deaths.empty());
  other = Arena();
  EXPECT_EQ(deaths.size(), 1U);
}

TEST(ArenaTest, ScopesFreeWhatIsTheirs) {
  std::vector<int> deaths;
  FailingChunks memory;
  Arena arena;
  int* const kept = arena.make<int>(7);
  arena.make<Noted>(deaths, 0);
  const size_t used = arena.bytes_used();
  long made = 0;
  for (int round = 0; round < 50; ++round) {
    const ArenaScope outer(arena);
    arena.make<Noted>(deaths, 1);
    std::pmr::vector<int> numbers(100, arena.resource());
    const size_t in_outer = arena.bytes_used();
    {
      const ArenaScope inner(arena);
      for (int i = 0; i < 100; ++i) (void)arena.allocate(100);
      (void)arena.allocate(2 << 20);
      arena.make<Noted>(deaths, 2);
    }
    EXPECT_EQ(arena.bytes_used(), in_outer);
    if (round == 1) made = memory.made();
  }
  EXPECT_EQ(arena.bytes_used(), used);
  EXPECT_EQ(memory.made() - made, 48) << "only the large blocks";
  EXPECT_EQ(*kept, 7);
  EXPECT_EQ(deaths.size(), 100U);
  EXPECT_EQ(std::count(deaths.begin(), deaths.end(), 0), 0);
}

TEST(ArenaTest, ScopeOfAnEmptyArena) {
  Arena arena;
  {
    const ArenaScope scope(arena);
    (void)arena.allocate(100'000);
    EXPECT_NE(arena.resource(), nullptr);
  }
  EXPECT_EQ(arena.bytes_used(), 0U);
  std::pmr::vector<int> numbers(10, arena.resource());
  EXPECT_EQ(numbers.size(), 10U);
}

TEST(ArenaTest, RoomComesFirst) {
  FailingChunks memory;
  alignas(16) std::array<std::byte, 1000> room = {};
  {
    Arena arena(room);
    EXPECT_EQ(arena.bytes_reserved(), 1000U);
    auto* block = static_cast<std::byte*>(arena.allocate(100));
    EXPECT_EQ(block, room.data());
    (void)arena.allocate(600);
    EXPECT_EQ(memory.made(), 0);
    (void)arena.allocate(600);
    EXPECT_EQ(memory.made(), 1);
    arena.reset();
    EXPECT_EQ(arena.allocate(100), room.data());
    Arena moved = std::move(arena);
    EXPECT_EQ(moved.allocate(100), room.data() + 112 + internal::kRedZone);
  }
  room.fill(std::byte{1});
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, InlineRoom) {
  FailingChunks memory;
  std::vector<int> deaths;
  {
    InlineArena<512> arena;
    arena.make<Noted>(deaths, 1);
    std::pmr::vector<int> numbers({1, 2, 3}, arena.resource());
    EXPECT_EQ(memory.made(), 0);
    for (int i = 0; i < 1000; ++i) numbers.push_back(i);
    EXPECT_GT(memory.made(), 0);
    Arena& same = arena;
    EXPECT_NE(same.try_allocate(10), nullptr);
  }
  EXPECT_EQ(deaths.size(), 1U);
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, AThreadKeepsOneSmallChunk) {
  FailingChunks memory;
  for (int i = 0; i < 100; ++i) {
    Arena a;
    Arena b;
    (void)a.allocate(10);
    (void)b.allocate(10);
  }
  // One of the two is kept each time.
  EXPECT_EQ(memory.made(), 101);
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, AThreadsEndGivesItsChunkBack) {
  FailingChunks memory;
  std::thread([] {
    Arena arena;
    (void)arena.allocate(10);
  }).join();
  EXPECT_EQ(memory.made(), 1);
  EXPECT_EQ(memory.live(), 0);
}

TEST(ArenaTest, EndsInAnotherThread) {
  std::vector<int> deaths;
  Arena arena;
  for (int i = 0; i < 1000; ++i) arena.make<Noted>(deaths, i);
  std::thread([moved = std::move(arena)]() mutable { moved = Arena(); }).join();
  EXPECT_EQ(deaths.size(), 1000U);
}

TEST(ArenaTest, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i] {
      for (int round = 0; round < 200; ++round) {
        Arena arena;
        std::pmr::vector<int> numbers(arena.resource());
        for (int k = 0; k < 500; ++k) numbers.push_back(i);
        ASSERT_EQ(std::count(numbers.begin(), numbers.end(), i), 500);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ArenaTest, WorksInTheChildOfAFork) {
  Arena arena;
  const std::string_view text = arena.copy("before");
  (void)arena.allocate(10'000);
  const pid_t child = fork();
  if (child == 0) {
    bool good = text == "before";
    for (int i = 0; i < 100; ++i) good = good && arena.try_allocate(5000) != nullptr;
    arena.reset();
    good = good && arena.copy("after") == "after";
    _exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text, "before");
}

// Whatever fails, what was made before is there, nothing is lost, and it goes on afterwards.
TEST(ArenaTest, OutOfMemoryAtEveryChunk) {
  for (long n = 0;; ++n) {
    std::vector<int> deaths;
    FailingChunks memory(n);
    bool failed = false;
    {
      Arena arena;
      std::vector<int*> made;
      try {
        std::pmr::vector<int> numbers(arena.resource());
        for (int i = 0; i < 20'000; ++i) {
          made.push_back(arena.make<int>(i));
          numbers.push_back(i);
          if (i % 100 == 0) arena.make<Noted>(deaths, i);
          if (i % 5000 == 0) (void)arena.allocate(1 << 20);
        }
        (void)arena.copy(std::string_view("done"));
      } catch (const std::bad_alloc&) {
        failed = true;
        EXPECT_EQ(arena.try_make_span<char>(1 << 22).data(), nullptr);
        EXPECT_EQ(arena.try_copy(std::string(2 << 20, 'x')).data(), nullptr);
      }
      for (size_t i = 0; i < made.size(); ++i) ASSERT_EQ(*made[i], static_cast<int>(i));
      arena.reset();
      EXPECT_EQ(arena.bytes_used(), 0U);
    }
    EXPECT_EQ(memory.live(), 0) << n;
    if (!failed) {
      EXPECT_GT(n, 5);
      break;
    }
  }
}

TEST(ArenaTest, NoMemoryForTheResource) {
  const FailingChunks memory(0);
  Arena arena;
  EXPECT_EQ(arena.resource(), std::pmr::null_memory_resource());
  std::pmr::vector<int> numbers(arena.resource());
  EXPECT_THROW(numbers.push_back(1), std::bad_alloc);
}

// A chunk of the usual size cannot be had, but one for the block alone can.
TEST(ArenaTest, TakesWhatItNeedsIfThereIsNoMore) {
  internal::drop_kept_chunk();
  static const Mimalloc* real = nullptr;
  real = &mimalloc();
  Mimalloc table = *real;
  table.heap_malloc = [](mi_heap_t* heap, size_t size) noexcept -> void* {
    return size > 1000 ? nullptr : real->heap_malloc(heap, size);
  };
  replace_mimalloc_for_testing(&table);
  {
    Arena arena;
    EXPECT_NE(arena.try_allocate(100), nullptr);
    EXPECT_NE(arena.try_allocate(100), nullptr);
    EXPECT_EQ(arena.try_allocate(2000), nullptr);
    EXPECT_GE(arena.bytes_used(), 200U);
  }
  replace_mimalloc_for_testing(real);
}

// Sanitizers have memory of their own for it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
long resident_mib() {
  std::ifstream in("/proc/self/statm");
  long size = 0;
  long resident = 0;
  in >> size >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
}

TEST(ArenaTest, TrimGivesMemoryBack) {
  ASSERT_TRUE(mimalloc().is_mimalloc);
  Arena::trim();
  const long before = resident_mib();
  {
    Arena arena;
    for (int i = 0; i < 200; ++i) std::memset(arena.allocate(1 << 20), 1, 1 << 20);
    for (int i = 0; i < 50'000; ++i) std::memset(arena.allocate(2000), 1, 2000);
    EXPECT_GE(resident_mib(), before + 280);
  }
  Arena::trim();
  EXPECT_LE(resident_mib(), before + 56) << "a fifth of it";
  Arena again;
  std::memset(again.allocate(1 << 20), 1, 1 << 20);
}
#endif

TEST(ArenaTest, WorksOverMalloc) {
  internal::drop_kept_chunk();
  const Mimalloc* const real = &mimalloc();
  Mimalloc table = *real;
  table.heap_malloc = [](mi_heap_t*, size_t size) noexcept { return std::malloc(size); };
  table.free = [](void* block) noexcept { std::free(block); };
  replace_mimalloc_for_testing(&table);
  {
    std::vector<int> deaths;
    Arena arena;
    for (int i = 0; i < 100'000; ++i) arena.make<Noted>(deaths, i);
    std::memset(arena.allocate(5 << 20, 4096), 1, 5 << 20);
    arena.reset();
    EXPECT_EQ(deaths.size(), 100'000U);
    (void)arena.allocate(100);
  }
  internal::drop_kept_chunk();
  replace_mimalloc_for_testing(real);
}

}  // namespace

template <>
inline constexpr bool kSkipsDestructor<Skipped> = true;

namespace {

TEST(ArenaTest, DestructorsMayBeSkipped) {
  std::vector<int> deaths;
  {
    Arena arena;
    arena.make<Skipped>(deaths, 1);
    const std::span<std::byte> none = arena.make_span<std::byte>(3);
    EXPECT_EQ(none.size(), 3U);
  }
  EXPECT_TRUE(deaths.empty());
}

#ifdef __SANITIZE_ADDRESS__
using ArenaDeathTest = ::testing::Test;

// What only a sanitizer sees.
void touch(volatile char* byte) { *byte = 1; }

TEST(ArenaDeathTest, BehindABlock) {
  Arena arena;
  auto* const first = static_cast<char*>(arena.allocate(24));
  auto* const second = static_cast<char*>(arena.allocate(24));
  touch(first + 23);
  touch(second);
  EXPECT_DEATH(touch(first + 24), "use-after-poison");
  EXPECT_DEATH(touch(second - 1), "use-after-poison");
  EXPECT_DEATH(touch(second + 24), "use-after-poison");
}

TEST(ArenaDeathTest, AfterReset) {
  Arena arena;
  auto* const block = static_cast<char*>(arena.allocate(24));
  auto* const large = static_cast<char*>(arena.allocate(100'000));
  arena.reset();
  EXPECT_DEATH(touch(block), "use-after-poison");
  EXPECT_DEATH(touch(large), "use-after-poison");
}

TEST(ArenaDeathTest, AfterItsEnd) {
  char* block = nullptr;
  {
    Arena arena;
    block = static_cast<char*>(arena.allocate(24));
  }
  EXPECT_DEATH(touch(block), "use-after-poison");
}

TEST(ArenaDeathTest, AfterItsScope) {
  Arena arena;
  touch(static_cast<char*>(arena.allocate(10)));
  char* block = nullptr;
  {
    const ArenaScope scope(arena);
    block = static_cast<char*>(arena.allocate(10));
    touch(block);
  }
  EXPECT_DEATH(touch(block), "use-after-poison");
  touch(static_cast<char*>(arena.allocate(10)));
}

TEST(ArenaDeathTest, RoomNotHandedOut) {
  std::array<std::byte, 100> room;
  {
    Arena arena(room);
    touch(static_cast<char*>(arena.allocate(10, 1)));
    EXPECT_DEATH(touch(reinterpret_cast<char*>(&room[50])), "use-after-poison");
  }
  room.fill(std::byte{0});
}
#endif

#ifndef NDEBUG
TEST(ArenaAssertDeathTest, ResetInADestructor) {
  EXPECT_DEATH(
      {
        Arena arena;
        arena.make<Ending>([&] { arena.reset(); });
      },
      "destroying_");
}

TEST(ArenaAssertDeathTest, AlignmentOfThree) {
  Arena arena;
  EXPECT_DEATH((void)arena.try_allocate(1, 3), "has_single_bit");
}
#endif

}  // namespace
}  // namespace tenure::pool
