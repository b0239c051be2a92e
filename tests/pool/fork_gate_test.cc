#include "tenure/pool/fork_gate.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::pool {
namespace {

// Without the gate, up to one child in thirteen hung, most of them where others make heaps.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Children do not start threads: the sanitizers have locks, too, and no gate.
constexpr bool kIsSanitized = true;
constexpr int kForks = 20;
#else
constexpr bool kIsSanitized = false;
constexpr int kForks = 100;
#endif
// A child that hangs is ended by an alarm.
constexpr unsigned kPatience = 30;

const Mimalloc& mi = packaged_mimalloc_for_testing();

// Threads that do it again and again while the test lives.
class Busy {
 public:
  template <typename Work>
  explicit Busy(const Work& work) {
    for (unsigned number = 0; number < 3; ++number) {
      threads_.emplace_back([this, number, work] {
        while (!is_over_.load(std::memory_order_relaxed)) work(number);
      });
    }
  }
  ~Busy() {
    // Relaxed, like the loads: nothing is published by it.
    is_over_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_) thread.join();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic<bool> is_over_{false};
  std::vector<std::thread> threads_;
};

// Everything a child may want of the library.
void use(mi_heap_t* heap, const std::vector<void*>& older) {
  for (void* block : older) mi.free(block);
  std::vector<void*> blocks;
  for (size_t i = 0; i < 2000; ++i) {
    blocks.push_back(mi.heap_malloc(heap, i % 500 + (i % 100 == 0 ? 100'000 : 0)));
    std::memset(blocks.back(), 1, 1);
  }
  for (void* block : blocks) mi.free(block);
  mi_heap_t* const other = mi.heap_new();
  if (mi.heap_malloc(other, 10) == nullptr) _exit(1);
  if (!kIsSanitized) std::thread([&] { mi.free(mi.heap_malloc(heap, 100)); }).join();
  mi.heap_destroy(other);
  mi.heap_collect(heap, true);
  mi.collect(true);
  mi.heap_destroy(heap);
}

void expect_forks_survive(mi_heap_t* heap) {
  std::vector<void*> older;
  for (size_t i = 0; i < 2000; ++i) older.push_back(mi.heap_malloc(heap, i % 300));
  for (int i = 0; i < kForks; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(kPatience);
      use(heap, older);
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "child " << i << " of " << kForks
                         << (WIFSIGNALED(status) ? std::string(": ") + strsignal(WTERMSIG(status))
                                                 : std::string());
  }
  for (void* block : older) mi.free(block);
}

class ForkGateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(mi.is_mimalloc) << mi.what;
    heap = mi.heap_new();
    ASSERT_NE(heap, nullptr);
  }
  void TearDown() override { mi.heap_destroy(heap); }

  mi_heap_t* heap = nullptr;
};

TEST_F(ForkGateTest, WhileOthersAllocate) {
  const Busy busy([this](unsigned number) {
    std::vector<void*> blocks;
    for (size_t i = 0; i < 300; ++i) {
      blocks.push_back(mi.heap_malloc(heap, i % 7 == number ? i * 500 : i));
    }
    for (void* block : blocks) mi.free(block);
  });
  expect_forks_survive(heap);
}

TEST_F(ForkGateTest, WhileOthersMakeHeaps) {
  const Busy busy([](unsigned number) {
    mi_heap_t* const other = mi.heap_new();
    void* const block = mi.heap_malloc(other, 100);
    if (number == 0) {
      mi.heap_destroy(other);
    } else {
      mi.heap_delete(other);
      mi.free(block);
    }
  });
  expect_forks_survive(heap);
}

TEST_F(ForkGateTest, WhileThreadsBeginAndEnd) {
  const Busy busy(
      [this](unsigned) { std::thread([this] { mi.free(mi.heap_malloc(heap, 100)); }).join(); });
  expect_forks_survive(heap);
}

TEST_F(ForkGateTest, WhileOthersCollect) {
  const Busy busy([this](unsigned number) {
    std::vector<void*> blocks;
    for (size_t i = 0; i < 300; ++i) blocks.push_back(mi.heap_malloc(heap, i));
    for (void* block : blocks) mi.free(block);
    mi.heap_collect(heap, number == 0);
  });
  expect_forks_survive(heap);
}

// More heaps than a thread remembers, and heaps at the addresses of others before them.
TEST_F(ForkGateTest, ManyHeapsByTurns) {
  std::vector<mi_heap_t*> heaps;
  for (int i = 0; i < 100; ++i) heaps.push_back(mi.heap_new());
  std::vector<void*> blocks;
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < heaps.size(); ++i) {
      blocks.push_back(mi.heap_malloc(heaps[i], 40));
      ASSERT_NE(blocks.back(), nullptr);
      if (round == static_cast<int>(i % 10)) {
        mi.heap_delete(heaps[i]);
        heaps[i] = mi.heap_new();
      }
    }
  }
  for (void* block : blocks) mi.free(block);
  for (mi_heap_t* each : heaps) mi.heap_destroy(each);
}

// What threads leave behind is the next ones' to use.
TEST_F(ForkGateTest, ThreadsThatEndLeaveTheirMemory) {
  const auto committed = [this] {
    size_t sum = 0;
    mi.heap_visit_blocks(
        heap, false,
        [](const mi_heap_t*, const mi_heap_area_t* area, void*, size_t, void* context) {
          *static_cast<size_t*>(context) += area->committed;
          return true;
        },
        &sum);
    return sum;
  };
  const auto run_threads = [this](int count) {
    for (int i = 0; i < count; ++i) {
      std::thread([this] {
        std::vector<void*> blocks;
        for (int k = 0; k < 1000; ++k) blocks.push_back(mi.heap_malloc(heap, 64));
        for (void* block : blocks) mi.free(block);
      }).join();
    }
  };
  run_threads(10);
  const size_t before = committed();
  run_threads(200);
  EXPECT_LE(committed(), before + (size_t{1} << 20));
}

}  // namespace
}  // namespace tenure::pool
