// How the library is found, or not: each in a process of its own.

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/pool/mimalloc.h"
#include "tenure/tests/support/programs.h"

namespace tenure::pool {
namespace {

using testing::passes;
using testing::Program;
using testing::require;

constexpr const char* kLibraries = "tests/pool/libraries/";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
constexpr int kThreads = 4;
constexpr int kRounds = 3;
#else
constexpr bool kIsSanitized = false;
constexpr int kThreads = 16;
constexpr int kRounds = 20;
#endif

void require_working(const Mimalloc& mi) {
  mi_heap_t* const heap = mi.heap_new();
  require(heap != nullptr, "there is a heap");
  void* const block = mi.heap_calloc(heap, 10, 10);
  require(block != nullptr && static_cast<char*>(block)[99] == 0, "there is memory");
  require(mi.usable_size(block) >= 100, "of the size asked for");
  void* const moved = mi.heap_realloc(heap, block, 100'000);
  require(moved != nullptr && static_cast<char*>(moved)[99] == 0, "it can grow");
  mi.free(moved);
  mi.collect(true);
  mi.arenas_purge();
  mi.heap_delete(heap);
}

// Whether it is mimalloc, and what is said of it, are given in the environment.
const Program finds("finds", [] {
  const Mimalloc& mi = packaged_mimalloc_for_testing();
  std::printf("found: %s\n", mi.what);
  require(std::strstr(mi.what, std::getenv("EXPECTED_WHAT")) != nullptr, "what is as expected");
  require(mi.is_mimalloc == (std::strncmp(mi.what, "mimalloc", 8) == 0),
          "is_mimalloc says so, too");
  require_working(mi);
  require_working(mimalloc());
});

const Program finds_preloaded("finds_preloaded", [] {
  require(dlsym(RTLD_DEFAULT, "mi_malloc") != nullptr, "the process has mimalloc");
  const Mimalloc& mi = packaged_mimalloc_for_testing();
  require(mi.is_mimalloc, mi.what);
  require_working(mi);
  // It is the one that malloc() is of.
  mi_heap_t* const heap = mi.heap_new();
  std::free(mi.heap_malloc(heap, 100));
  mi.free(std::malloc(100));
  std::thread([&] { std::free(mi.heap_malloc(heap, 100)); }).join();
  mi.heap_delete(heap);
});

const Program first_use_by_many("first_use_by_many", [] {
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  std::atomic<const Mimalloc*> found{nullptr};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ready.fetch_add(1);
      while (ready.load() < kThreads) std::this_thread::yield();
      const Mimalloc* const table = &mimalloc();
      const Mimalloc* before = nullptr;
      if (!found.compare_exchange_strong(before, table)) {
        require(before == table, "all have found the same");
      }
      require_working(*table);
    });
  }
  for (std::thread& thread : threads) thread.join();
});

// The loader's lock is taken by the one and waited for by the others.
const Program use_in_a_constructor("use_in_a_constructor", [] {
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      ready.fetch_add(1);
      while (ready.load() < 4) std::this_thread::yield();
      if (i != 0) {
        require_working(mimalloc());
        return;
      }
      void* const library = dlopen((std::string(kLibraries) + "eager.so").c_str(), RTLD_NOW);
      require(library != nullptr, "the library is loaded");
      auto* const has_block =
          reinterpret_cast<bool (*)()>(dlsym(library, "tenure_eager_has_a_block"));
      require(has_block != nullptr && has_block(), "its constructor has allocated");
    });
  }
  for (std::thread& thread : threads) thread.join();
});

// The last thing that happens in a process.
struct Last {
  void* block = nullptr;
  ~Last() {
    if (block == nullptr) return;
    const Mimalloc& mi = packaged_mimalloc_for_testing();
    mi.free(block);
    mi.free(mi.heap_malloc(mi.heap_main(), 10));
  }
} last;

const Program used_after_exit("used_after_exit", [] {
  const Mimalloc& mi = packaged_mimalloc_for_testing();
  require(mi.is_mimalloc, mi.what);
  last.block = mi.heap_malloc(mi.heap_new(), 100);
  require(last.block != nullptr, "there is a block");
});

class FindingMimallocTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const char* name : {"LD_LIBRARY_PATH", "LD_PRELOAD", "EXPECTED_WHAT"}) unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  // The folder is searched before the system's.
  void expect_found(const char* what) {
    setenv("LD_LIBRARY_PATH", folder_.c_str(), 1);
    setenv("EXPECTED_WHAT", what, 1);
    EXPECT_TRUE(passes(finds));
  }
  std::filesystem::path library() const { return folder_ / "libmimalloc.so.3"; }

 private:
  static std::filesystem::path make_folder() {
    std::string name = std::filesystem::temp_directory_path() / "finding.XXXXXX";
    return mkdtemp(name.data());
  }
  const std::filesystem::path folder_ = make_folder();
};

TEST_F(FindingMimallocTest, ThePackagedOne) { expect_found("mimalloc 3."); }

TEST_F(FindingMimallocTest, NotALibrary) {
  std::ofstream(library()) << "text";
  expect_found("libmimalloc.so.3: file too short");
}

TEST_F(FindingMimallocTest, AnotherLibrary) {
  std::filesystem::copy(std::string(kLibraries) + "empty.so", library());
  expect_found("malloc: libmimalloc.so.3 is not mimalloc");
}

TEST_F(FindingMimallocTest, AnOldOne) {
  std::filesystem::copy(std::string(kLibraries) + "old.so", library());
  expect_found("malloc: mimalloc 2 is older than 3");
}

TEST_F(FindingMimallocTest, OneThatLacksFunctions) {
  std::filesystem::copy(std::string(kLibraries) + "poor.so", library());
  expect_found("malloc: mimalloc 3.6 has not all the functions that 3.6 has");
}

TEST_F(FindingMimallocTest, AnotherIsThereAlready) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer's library has to be first";
  setenv("LD_PRELOAD", std::filesystem::absolute(std::string(kLibraries) + "old.so").c_str(), 1);
  expect_found("malloc: another mimalloc is linked with the process");
}

TEST_F(FindingMimallocTest, Preloaded) {
  if (kIsSanitized) GTEST_SKIP() << "the sanitizer's malloc() is in front";
  setenv("LD_PRELOAD", "libmimalloc.so.3", 1);
  EXPECT_TRUE(passes(finds_preloaded));
}

TEST_F(FindingMimallocTest, ByManyThreadsAtOnce) {
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(passes(first_use_by_many));
}

TEST_F(FindingMimallocTest, InAConstructor) {
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(passes(use_in_a_constructor));
}

TEST_F(FindingMimallocTest, AfterExit) { EXPECT_TRUE(passes(used_after_exit)); }

}  // namespace
}  // namespace tenure::pool
