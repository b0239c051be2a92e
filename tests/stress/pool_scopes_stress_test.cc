// Arenas and pools of references, used at random by several threads, and checked against what they
// have to hold.

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/pool/arena.h"
#include "tenure/pool/reference_pool.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::pool {
namespace {

constexpr int kThreads = 4;

// An arena, and what is in it.
class CheckedArena {
 public:
  explicit CheckedArena(unsigned seed) : random_(seed) {}
  ~CheckedArena() {
    check();
    arena_ = Arena();
    EXPECT_EQ(*alive_, 0);
  }

  void step() {
    switch (random_() % 12) {
      case 0:
        check();
        scope(0);
        break;
      case 1:
        if (random_() % 8 == 0) reset();
        break;
      case 2: {
        Arena moved = std::move(arena_);
        arena_ = std::move(moved);
        break;
      }
      case 3:
      case 4:
        add_object();
        break;
      case 5:
        add_block(random_() % 400'000, size_t{1} << random_() % 13);
        break;
      default:
        add_block(random_() % 300, size_t{1} << random_() % 7);
        break;
    }
  }

 private:
  struct Block {
    unsigned char* begin;
    size_t size;
    unsigned char filled;
  };
  struct Counted {
    explicit Counted(std::shared_ptr<int> one) : alive(std::move(one)) { ++*alive; }
    ~Counted() { --*alive; }
    std::shared_ptr<int> alive;
  };

  void add_block(size_t size, size_t alignment) {
    auto* const begin = static_cast<unsigned char*>(arena_.allocate(size, alignment));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(begin) % alignment, 0U);
    const auto filled = static_cast<unsigned char>(random_());
    std::memset(begin, filled, size);
    blocks_.push_back({begin, size, filled});
  }

  void add_object() {
    arena_.make<Counted>(alive_);
    ++objects_;
  }

  void check() const {
    ASSERT_EQ(*alive_, objects_);
    for (const Block& block : blocks_) {
      if (block.size == 0) continue;
      ASSERT_EQ(block.begin[0], block.filled);
      ASSERT_EQ(block.begin[block.size / 2], block.filled);
      ASSERT_EQ(block.begin[block.size - 1], block.filled);
    }
    ASSERT_GE(arena_.bytes_reserved(), arena_.bytes_used());
  }

  void scope(int depth) {
    const size_t blocks = blocks_.size();
    const int objects = objects_;
    const size_t used = arena_.bytes_used();
    {
      const ArenaScope inner(arena_);
      for (int i = 0; i < 20; ++i) {
        add_block(random_() % 3000, 8);
        add_object();
        if (depth < 4 && random_() % 10 == 0) scope(depth + 1);
      }
      check();
    }
    blocks_.resize(blocks);
    objects_ = objects;
    ASSERT_EQ(arena_.bytes_used(), used);
    check();
  }

  void reset() {
    check();
    arena_.reset();
    blocks_.clear();
    objects_ = 0;
    check();
  }

  std::mt19937 random_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  int objects_ = 0;
  Arena arena_;
  std::vector<Block> blocks_;
};

TEST(PoolScopesStressTest, Arenas) {
  const Detach detach;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([i] {
      for (unsigned round = 0; round < 15; ++round) {
        CheckedArena arena(round * kThreads + static_cast<unsigned>(i));
        for (int step = 0; step < 400; ++step) arena.step();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Arenas that one thread fills and another ends.
TEST(PoolScopesStressTest, ArenasThatChangeHands) {
  const Detach detach;
  for (int round = 0; round < 50; ++round) {
    std::vector<Arena> arenas(kThreads);
    std::vector<std::thread> fillers;
    for (Arena& arena : arenas) {
      fillers.emplace_back([&arena] {
        for (int i = 0; i < 500; ++i) std::memset(arena.allocate(i * 7), 1, i * 7);
      });
    }
    for (std::thread& thread : fillers) thread.join();
    std::vector<std::thread> enders;
    for (Arena& arena : arenas) {
      enders.emplace_back([moved = std::move(arena)]() mutable { moved.reset(); });
    }
    for (std::thread& thread : enders) thread.join();
  }
}

// Pools in pools, and destructors that make and fill others.
void keep_at_random(std::mt19937& random, std::atomic<int>& made, std::atomic<int>& died,
                    int depth) {
  ReferencePool pool;
  ASSERT_EQ(ReferencePool::current(), &pool);
  const unsigned count = random() % 60;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned kind = random() % 40;
    if (kind == 0 && depth < 5) {
      keep_at_random(random, made, died, depth + 1);
    } else if (kind == 1) {
      const Detach others_run;
    } else if (kind == 2) {
      pool.keep(PyFloat_FromDouble(i));
    } else {
      ++made;
      pool.keep(testing::new_mortal([&random, &made, &died, depth] {
                  ++died;
                  if (depth < 5 && random() % 30 == 0) {
                    keep_at_random(random, made, died, depth + 1);
                  }
                }).release());
    }
  }
  ASSERT_EQ(ReferencePool::current(), &pool);
}

TEST(PoolScopesStressTest, ReferencePools) {
  std::atomic<int> made = 0;
  std::atomic<int> died = 0;
  {
    const Detach detach;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const PyGILState_STATE state = PyGILState_Ensure();
        std::mt19937 random(i);
        for (int round = 0; round < 300; ++round) keep_at_random(random, made, died, 0);
        EXPECT_EQ(ReferencePool::current(), nullptr);
        PyGILState_Release(state);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GT(made, 10'000);
  EXPECT_EQ(died, made);
}

// Children of a process whose threads are in the middle of it.
TEST(PoolScopesStressTest, Forks) {
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (unsigned round = 0; !done; ++round) {
        CheckedArena arena(round + i);
        for (int step = 0; step < 50; ++step) arena.step();
      }
    });
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    ReferencePool pool;
    Arena arena;
    std::memset(arena.allocate(3000), 1, 3000);
    for (int i = 0; i < 1000; ++i) pool.keep(PyFloat_FromDouble(i));
    testing::expect_in_child([&] {
      // The parent's other threads may have held mimalloc's locks, so no new chunk is asked for.
      std::memset(arena.allocate(500), 1, 500);
      pool.keep(PyFloat_FromDouble(1));
      EXPECT_EQ(pool.size(), 1001U);
    });
  }
  done = true;
  const Detach detach;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tenure::pool
