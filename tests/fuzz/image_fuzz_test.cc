// Damaged images, thousands of them: loading, preparing and verifying refuse or work, and never
// crash. The same every time, unless TENURE_FUZZ_SEED says where to start.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/format.h"
#include "tenure/tests/fuzz/image_body.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::fuzz {
namespace {

using image::DirectoryEntry;
using image::Kind;
using testing::Editor;
using Bytes = std::vector<std::byte>;

// Of modules; of data; of data whose lists, dicts and sets are made by actions.
enum class Sample { kModules, kData, kKept };
Sample current = Sample::kModules;

// Where there is no GIL, there are no images of modules.
std::vector<Sample> samples() {
  if (!abi::can_copy_code()) return {Sample::kData, Sample::kKept};
  return {Sample::kModules, Sample::kData, Sample::kKept};
}

const Bytes& sample() {
  static const Bytes modules =
      abi::can_copy_code() ? testing::image_of(testing::sample_sources()) : Bytes();
  // Given to nobody: the interpreter ends before static objects do.
  static PyObject* const roots = testing::evaluate(testing::sample_data()).release();
  static const Bytes data = testing::data_image_of(roots);
  static const Bytes kept = testing::data_image_of(roots, testing::keep_all());
  return current == Sample::kModules ? modules : current == Sample::kData ? data : kept;
}

class Fuzz : public ::testing::TestWithParam<Sample> {
 protected:
  Fuzz() { current = GetParam(); }
};

std::string sample_name(const ::testing::TestParamInfo<Sample>& info) {
  static const char* const names[] = {"Modules", "Data", "Kept"};
  return names[static_cast<size_t>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Images, Fuzz, ::testing::ValuesIn(samples()), sample_name);

// Runs attempts [0, count) in processes of their own, some in each: the first of each finds the
// preferred address free, and a crash is one failure and not the end. Stops when time is up.
class Attempts {
 public:
  explicit Attempts(int per_process) : per_process_(per_process) {
    void* shared =
        mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    state_ = new (shared) State;
  }
  ~Attempts() { munmap(state_, sizeof(State)); }
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  // `attempt` answers why the image was refused, "" if it was not. Answers how many were made.
  int run(int count, std::chrono::seconds time, const std::function<std::string(int)>& attempt) {
    const auto end = std::chrono::steady_clock::now() + time;
    int next = 0;
    int failures = 0;
    while (next < count && failures < 20 && std::chrono::steady_clock::now() < end) {
      const int last = std::min(count, next + per_process_);
      state_->now = next;
      PyOS_BeforeFork();
      const pid_t child = fork();
      if (child == 0) work(next, last, attempt);
      PyOS_AfterFork_Parent();
      int status = 0;
      waitpid(child, &status, 0);
      next = last;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      ADD_FAILURE() << "attempt " << state_->now << " ended with status " << status;
      next = state_->now + 1;
      ++failures;
    }
    return next;
  }

  int accepted() const { return state_->accepted; }
  int refused() const { return state_->refused; }

 private:
  struct State {
    int now = 0;
    int accepted = 0;
    int refused = 0;
  };

  [[noreturn]] void work(int next, int last, const std::function<std::string(int)>& attempt) {
    PyOS_AfterFork_Child();
    alarm(60);  // one that hangs is one that failed
    for (; next < last; ++next) {
      state_->now = next;
      ++(attempt(next).empty() ? state_->accepted : state_->refused);
    }
    _exit(0);
  }

  const int per_process_;
  State* state_;
};

TEST_P(Fuzz, TheSampleItselfIsGood) {
  Attempts attempts(2);
  EXPECT_EQ(attempts.run(2, std::chrono::seconds(30), [](int) { return use_image(sample()); }), 2);
  EXPECT_EQ(attempts.accepted(), 2) << "at home and relocated";
}

// The checksum of the first page is over all of it.
TEST_P(Fuzz, EveryByteOfTheHeaderPage) {
  Attempts attempts(1024);
  const int count = image::kPageBytes;
  EXPECT_EQ(attempts.run(count, std::chrono::seconds(60),
                         [](int i) {
                           Bytes bytes = sample();
                           bytes[static_cast<size_t>(i)] ^= std::byte{0xff};
                           return use_image(bytes);
                         }),
            count);
  EXPECT_EQ(attempts.refused(), count);
}

TEST_P(Fuzz, EveryBitOfTheHeader) {
  Attempts attempts(512);
  const int count = 256 * 8;
  EXPECT_EQ(attempts.run(count, std::chrono::seconds(60),
                         [](int i) {
                           Bytes bytes = sample();
                           bytes[static_cast<size_t>(i / 8)] ^= static_cast<std::byte>(1 << i % 8);
                           return use_image(bytes);
                         }),
            count);
  EXPECT_EQ(attempts.refused(), count);
}

// Where the checksum says that all is well, what the header says has to be checked.
TEST_P(Fuzz, EveryBitOfTheHeaderWithItsChecksumRight) {
  Attempts attempts(64);
  const int count = 256 * 8;
  EXPECT_EQ(attempts.run(count, std::chrono::seconds(60),
                         [](int i) {
                           Editor editor(sample());
                           *editor.at<uint8_t>(static_cast<uint64_t>(i / 8)) ^=
                               static_cast<uint8_t>(1 << i % 8);
                           editor.fix();
                           return use_image(editor.file());
                         }),
            count);
  EXPECT_GT(attempts.refused(), 500);
  EXPECT_GT(attempts.accepted(), 100) << "ids, and addresses that are as good as others";
}

TEST_P(Fuzz, Truncations) {
  std::vector<size_t> lengths;
  for (size_t length = 0; length < 512; ++length) lengths.push_back(length);
  for (size_t at = 512; at < sample().size(); at += 509) lengths.push_back(at);
  for (size_t at = image::kPageBytes; at < sample().size(); at += image::kPageBytes) {
    lengths.insert(lengths.end(), {at - 1, at, at + 1});
  }
  lengths.push_back(sample().size() - 1);
  Attempts attempts(512);
  const int count = static_cast<int>(lengths.size());
  EXPECT_EQ(
      attempts.run(count, std::chrono::seconds(60),
                   [&](int i) {
                     return use_image(std::span(sample()).first(lengths[static_cast<size_t>(i)]));
                   }),
      count);
  EXPECT_EQ(attempts.refused(), count);
}

// A shorter file that says that it is.
TEST_P(Fuzz, TruncationsThatTheHeaderKnowsOf) {
  const int pages = static_cast<int>(sample().size() / image::kPageBytes);
  Attempts attempts(512);
  EXPECT_EQ(attempts.run(pages, std::chrono::seconds(60),
                         [](int i) {
                           Editor editor(sample());
                           editor.file().resize(static_cast<size_t>(i) * image::kPageBytes);
                           if (i > 0) editor.header().file_bytes = editor.file().size();
                           editor.fix();
                           return use_image(editor.file());
                         }),
            pages);
  EXPECT_EQ(attempts.refused(), pages);
}

uint64_t seed() {
  const char* given = std::getenv("TENURE_FUZZ_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20240229;
}

// Damage as it comes: bits, bytes, numbers at their limits, pieces in the wrong place.
class Mutator {
 public:
  explicit Mutator(uint64_t number) : random_(number) {}

  void mutate(Editor& editor) {
    const auto ranges = ranges_of(editor);
    for (uint64_t n = 1 + below(4); n > 0; --n) damage(editor, ranges[below(ranges.size())]);
  }

 private:
  struct Range {
    uint64_t begin;
    uint64_t end;
  };

  // The header, the directory and each table.
  static std::vector<Range> ranges_of(Editor& editor) {
    const auto directory = editor.directory();
    std::vector<Range> ranges;
    ranges.reserve(2 + directory.size());
    ranges.push_back({0, sizeof(image::Header)});
    ranges.push_back({sizeof(image::Header), sizeof(image::Header) + directory.size_bytes()});
    for (const DirectoryEntry& entry : directory) {
      if (entry.kind < image::kFirstSegmentKind) {
        ranges.push_back({entry.offset, entry.offset + entry.bytes});
      }
    }
    return ranges;
  }

  uint64_t below(uint64_t end) { return random_() % end; }

  void damage(Editor& editor, const Range& range) {
    const uint64_t bytes = range.end - range.begin;
    const uint64_t at = range.begin + below(bytes);
    auto* byte = editor.at<uint8_t>(at);
    switch (below(6)) {
      case 0:
        *byte ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        *byte = static_cast<uint8_t>(below(256));
        break;
      case 2:
        put(editor, range, at, 4);
        break;
      case 3:
        put(editor, range, at, 8);
        break;
      case 4: {
        const uint64_t count = std::min<uint64_t>(1 + below(24), range.end - at);
        std::memset(byte, below(2) ? 0 : 0xff, count);
        break;
      }
      default: {
        const uint64_t from = range.begin + below(bytes);
        const uint64_t count = std::min<uint64_t>(1 + below(48), range.end - std::max(from, at));
        std::memmove(byte, editor.at<uint8_t>(from), count);
      }
    }
  }

  // A number where a field may be: at a limit, or near what is there.
  void put(Editor& editor, const Range& range, uint64_t at, uint64_t bytes) {
    at -= at % bytes;
    if (at < range.begin || at + bytes > range.end) return;
    uint64_t value = 0;
    std::memcpy(&value, editor.at<uint8_t>(at), bytes);
    const uint64_t limits[] = {0,          1,          7,          8,           16,
                               0x7f,       0x80,       0xff,       0xffff,      0x7fffffff,
                               0x80000000, 0xffffffff, 1ull << 32, 1ull << 47,  1ull << 62,
                               1ull << 63, ~0ull,      ~0ull - 7,  ~0ull << 12, sample().size()};
    switch (below(3)) {
      case 0:
        value = limits[below(std::size(limits))];
        break;
      case 1:
        value += below(33) - 16;
        break;
      default:
        value = random_();
    }
    std::memcpy(editor.at<uint8_t>(at), &value, bytes);
  }

  std::mt19937_64 random_;
};

// Runs mutations of header and tables, with the checksums as they were or made right.
void run_mutations(bool right_checksums, int count) {
  ::testing::Test::RecordProperty("seed", std::to_string(seed()));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed()));
  Attempts attempts(right_checksums ? 8 : 64);
  const int made = attempts.run(count, std::chrono::seconds(5), [=](int i) {
    Editor editor(sample());
    Mutator(seed() * 1'000'003 + static_cast<uint64_t>(i)).mutate(editor);
    if (right_checksums) editor.fix();
    return use_image(editor.file());
  });
  std::printf("%d images: %d refused, %d accepted\n", made, attempts.refused(),
              attempts.accepted());
  EXPECT_GT(made, 100);
  EXPECT_GT(attempts.refused(), made / 2);
}

TEST_P(Fuzz, MutationsThatTheChecksumsTellOf) { run_mutations(false, 3000); }

TEST_P(Fuzz, MutationsWithTheChecksumsRight) { run_mutations(true, 3000); }

}  // namespace
}  // namespace tenure::fuzz
