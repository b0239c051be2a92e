#include "tenure/immortal/image/code_versions.h"

#include <algorithm>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"

namespace tenure::image {
namespace {

constexpr uint32_t kFirst = abi::kFirstImageVersion;
constexpr uint32_t kAll = ~kFirst + 1;  // how many versions images have

// An interpreter of its own for each test, numbers no real one will have.
int64_t new_interpreter() {
  static int64_t last = 1'000'000;
  return ++last;
}

TEST(CodeVersions, GivesWhatIsWantedIfItIsFree) {
  const int64_t interpreter = new_interpreter();
  EXPECT_EQ(take_code_versions(interpreter, kFirst + 1000, 10), kFirst + 1000);
  EXPECT_EQ(take_code_versions(interpreter, kFirst + 1010, 10), kFirst + 1010) << "right behind";
  EXPECT_EQ(take_code_versions(interpreter, kFirst + 990, 10), kFirst + 990) << "right before";
  EXPECT_EQ(take_code_versions(interpreter, ~uint32_t{0}, 1), ~uint32_t{0}) << "the last of all";
}

TEST(CodeVersions, MovesTheNewcomer) {
  const int64_t interpreter = new_interpreter();
  ASSERT_EQ(take_code_versions(interpreter, kFirst + 1000, 10), kFirst + 1000);
  // The same, overlapping at either end, around it, inside of it.
  struct Range {
    uint32_t wanted;
    uint32_t count;
  };
  uint32_t expected = kFirst;
  for (const Range& one :
       {Range{kFirst + 1000, 10}, Range{kFirst + 1009, 10}, Range{kFirst + 991, 10},
        Range{kFirst + 995, 30}, Range{kFirst + 1003, 2}}) {
    const auto first = take_code_versions(interpreter, one.wanted, one.count);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(*first, expected) << "the first free range of that size";
    expected += one.count;
  }
}

TEST(CodeVersions, FillsGapsThatAreLargeEnough) {
  const int64_t interpreter = new_interpreter();
  ASSERT_TRUE(take_code_versions(interpreter, kFirst, 10));
  ASSERT_TRUE(take_code_versions(interpreter, kFirst + 15, 10));
  ASSERT_TRUE(take_code_versions(interpreter, kFirst + 40, 10));
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 15), kFirst + 25);
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 5), kFirst + 10);
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 1), kFirst + 50);
}

TEST(CodeVersions, AreApartForEachInterpreter) {
  const int64_t one = new_interpreter();
  const int64_t other = new_interpreter();
  EXPECT_EQ(take_code_versions(one, kFirst + 5, 10), kFirst + 5);
  EXPECT_EQ(take_code_versions(other, kFirst + 5, 10), kFirst + 5);
}

TEST(CodeVersions, RunOut) {
  const int64_t interpreter = new_interpreter();
  ASSERT_EQ(take_code_versions(interpreter, kFirst, kAll - 10), kFirst);
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 11), std::nullopt);
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 10), kFirst + (kAll - 10));
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 1), std::nullopt);
}

TEST(CodeVersions, CanAllBeTakenAtOnce) {
  const int64_t interpreter = new_interpreter();
  EXPECT_EQ(take_code_versions(interpreter, kFirst, kAll), kFirst);
  EXPECT_EQ(take_code_versions(interpreter, kFirst, 1), std::nullopt);
}

TEST(CodeVersions, NeverOverlapWhateverThreadsAsk) {
  const int64_t interpreter = new_interpreter();
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::vector<std::vector<uint32_t>> taken(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&taken, i, interpreter] {
      for (int n = 0; n < kEach; ++n) {
        taken[static_cast<size_t>(i)].push_back(
            take_code_versions(interpreter, kFirst + static_cast<uint32_t>(n) * 3, 5).value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint32_t> all;
  for (const auto& part : taken) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  for (size_t i = 1; i < all.size(); ++i) ASSERT_GE(all[i] - all[i - 1], 5u);
}

}  // namespace
}  // namespace tenure::image
