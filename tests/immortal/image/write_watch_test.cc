#include "tenure/immortal/image/write_watch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/signal_chain.h"

namespace tenure::image {
namespace {

// Pages to watch, gone at the end.
class Pages {
 public:
  explicit Pages(size_t count)
      : bytes_(count * kPageBytes),
        begin_(static_cast<std::byte*>(
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~Pages() { munmap(begin_, bytes_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  template <typename T = uint64_t>
  volatile T* at(size_t offset) const {
    return reinterpret_cast<volatile T*>(begin_ + offset);
  }
  uint64_t address(size_t offset) const { return reinterpret_cast<uint64_t>(begin_ + offset); }
  WatchedArea area() const { return {begin_, bytes_}; }

 private:
  const size_t bytes_;
  std::byte* const begin_;
};

void start(const Pages& pages, size_t records = WriteWatch::kRecords) {
  const WatchedArea area = pages.area();
  const char* why = WriteWatch::start({&area, 1}, records);
  ASSERT_EQ(why, nullptr) << why;
}

template <typename T>
T value_in(const std::array<std::byte, WriteRecord::kWindowBytes>& window,
           const WriteRecord& record) {
  T value;
  std::memcpy(&value, window.data() + (record.address - record.window), sizeof value);
  return value;
}

// One instruction, whoever calls it.
[[gnu::noinline]] void store(volatile uint64_t* at, uint64_t value) { *at = value; }

TEST(WriteWatch, SeesWhatIsWrittenAndLetsItHappen) {
  const Pages pages(2);
  *pages.at(40) = 7;
  start(pages);
  store(pages.at(40), 8);
  store(pages.at(kPageBytes + 16), 9);
  EXPECT_EQ(*pages.at(40), 8u);
  const auto result = WriteWatch::stop();
  EXPECT_EQ(*pages.at(kPageBytes + 16), 9u);
  ASSERT_EQ(result.writes.size(), 2u);
  EXPECT_EQ(result.unrecorded, 0u);
  const WriteRecord& first = result.writes[0];
  EXPECT_EQ(first.address, pages.address(40));
  EXPECT_EQ(first.count, 1u);
  EXPECT_EQ(value_in<uint64_t>(first.before, first), 7u);
  EXPECT_EQ(value_in<uint64_t>(first.after, first), 8u);
  EXPECT_EQ(result.writes[1].address, pages.address(kPageBytes + 16));
  EXPECT_EQ(result.writes[1].instruction, first.instruction);
  const auto function = reinterpret_cast<uint64_t>(&store);
  EXPECT_GE(first.instruction, function);
  EXPECT_LT(first.instruction, function + 200);
  *pages.at(0) = 1;  // nobody looks any more
}

TEST(WriteWatch, CountsWhatIsWrittenOften) {
  const Pages pages(1);
  start(pages);
  for (uint64_t i = 1; i <= 1000; ++i) store(pages.at(8), i);
  const auto result = WriteWatch::stop();
  ASSERT_EQ(result.writes.size(), 1u);
  EXPECT_EQ(result.writes[0].count, 1000u);
  EXPECT_EQ(value_in<uint64_t>(result.writes[0].before, result.writes[0]), 0u);
  EXPECT_EQ(value_in<uint64_t>(result.writes[0].after, result.writes[0]), 1000u);
}

TEST(WriteWatch, SeesWritesOfAnySize) {
  const Pages pages(1);
  start(pages);
  *pages.at<uint8_t>(3) = 1;
  *pages.at<uint16_t>(100) = 2;
  *pages.at<uint32_t>(kPageBytes - 4) = 3;
  const auto result = WriteWatch::stop();
  ASSERT_EQ(result.writes.size(), 3u);
  EXPECT_EQ(value_in<uint8_t>(result.writes[0].after, result.writes[0]), 1);
  EXPECT_EQ(value_in<uint16_t>(result.writes[1].after, result.writes[1]), 2);
  EXPECT_EQ(value_in<uint32_t>(result.writes[2].after, result.writes[2]), 3u);
}

TEST(WriteWatch, SeesAnInstructionThatWritesToTwoPages) {
  const Pages pages(2);
  start(pages);
  store(pages.at(kPageBytes - 3), 0x1122334455667788);
  store(pages.at(16), 1);  // both are protected again
  store(pages.at(kPageBytes + 16), 2);
  const auto result = WriteWatch::stop();
  EXPECT_EQ(*pages.at(kPageBytes - 3), 0x1122334455667788u);
  EXPECT_EQ(result.writes.size(), 3u);
}

// Each turn of such an instruction is one of its own for the processor.
TEST(WriteWatch, SeesAnInstructionThatRepeatsItself) {
  const Pages pages(3);
  std::vector<char> source(2 * kPageBytes, 'x');
  start(pages);
  const char* from = source.data();
  auto to = pages.address(100);
  size_t count = source.size();
  asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
  const auto result = WriteWatch::stop();
  uint64_t written = 0;
  for (const WriteRecord& write : result.writes) {
    EXPECT_EQ(write.instruction, result.writes[0].instruction);
    written += write.count;
  }
  EXPECT_EQ(written, source.size());
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(pages.address(100)), source.data(), source.size()),
            0);
}

TEST(WriteWatch, CountsWhatItHasNoRecordFor) {
  const Pages pages(1);
  start(pages, 4);
  for (size_t i = 0; i < 10; ++i) store(pages.at(i * 8), i);
  store(pages.at(0), 1);
  const auto result = WriteWatch::stop();
  EXPECT_EQ(result.writes.size(), 4u);
  EXPECT_EQ(result.unrecorded, 6u);
  EXPECT_EQ(result.writes[0].count, 2u);
}

TEST(WriteWatch, SeesAllThreads) {
  const Pages pages(4);
  start(pages);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&pages, thread] {
      for (uint64_t i = 0; i < 500; ++i) store(pages.at(thread * kPageBytes), i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto result = WriteWatch::stop();
  ASSERT_EQ(result.writes.size(), 4u);
  for (const WriteRecord& write : result.writes) EXPECT_EQ(write.count, 500u);
}

TEST(WriteWatch, LetsOtherSignalsWait) {
  static std::atomic<int> alarms;
  alarms = 0;
  struct sigaction action = {};
  struct sigaction before;
  action.sa_handler = [](int) { ++alarms; };
  sigaction(SIGALRM, &action, &before);
  const itimerval often = {{0, 200}, {0, 200}};
  const Pages pages(1);
  start(pages);
  setitimer(ITIMER_REAL, &often, nullptr);
  for (uint64_t i = 0; i < 20'000 || alarms < 20; ++i) store(pages.at(8), i);
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  const auto result = WriteWatch::stop();
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGALRM), 0);
  sigaction(SIGALRM, &before, nullptr);
  ASSERT_EQ(result.writes.size(), 1u);
  EXPECT_GE(result.writes[0].count, 20'000u);
}

TEST(WriteWatch, GoesOnInAForkedChild) {
  const Pages pages(1);
  start(pages);
  store(pages.at(0), 1);
  const pid_t child = fork();
  if (child == 0) {
    store(pages.at(8), 2);
    const auto result = WriteWatch::stop();
    _exit(result.writes.size() == 2 && *pages.at(8) == 2 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const auto result = WriteWatch::stop();
  EXPECT_EQ(result.writes.size(), 1u);
  EXPECT_EQ(*pages.at(8), 0u);
}

TEST(WriteWatch, DoesNotSeeTheKernel) {
  const Pages pages(1);
  start(pages);
  const int zero = open("/dev/zero", O_RDONLY);
  EXPECT_EQ(read(zero, reinterpret_cast<void*>(pages.address(8)), 8), -1);
  EXPECT_EQ(errno, EFAULT);
  close(zero);
  EXPECT_TRUE(WriteWatch::stop().writes.empty());
}

TEST(WriteWatch, PutsTheHandlersBack) {
  struct sigaction before[2];
  struct sigaction after[2];
  sigaction(SIGSEGV, nullptr, &before[0]);
  sigaction(SIGTRAP, nullptr, &before[1]);
  for (int turn = 0; turn < 50; ++turn) {
    const Pages pages(1);
    EXPECT_FALSE(WriteWatch::is_on());
    start(pages);
    EXPECT_TRUE(WriteWatch::is_on());
    EXPECT_TRUE(WriteWatch::sees(pages.area().begin));
    EXPECT_FALSE(WriteWatch::sees(&turn));
    store(pages.at(0), 1);
    EXPECT_EQ(WriteWatch::stop().writes.size(), 1u);
    EXPECT_FALSE(WriteWatch::sees(pages.area().begin));
  }
  sigaction(SIGSEGV, nullptr, &after[0]);
  sigaction(SIGTRAP, nullptr, &after[1]);
  EXPECT_EQ(before[0].sa_sigaction, after[0].sa_sigaction);
  EXPECT_EQ(before[1].sa_sigaction, after[1].sa_sigaction);
}

sigjmp_buf after_fault;
std::atomic<int> faults;

void jump_away(int) {
  ++faults;
  siglongjmp(after_fault, 1);
}

// Handles SIGSEGV by itself while it lives.
class OwnHandler {
 public:
  OwnHandler() {
    faults = 0;
    struct sigaction action = {};
    action.sa_handler = jump_away;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, &before_);
  }
  ~OwnHandler() { sigaction(SIGSEGV, &before_, nullptr); }
  OwnHandler(const OwnHandler&) = delete;
  OwnHandler& operator=(const OwnHandler&) = delete;

 private:
  struct sigaction before_;
};

[[gnu::noinline]] void copy(volatile uint64_t* to, const volatile uint64_t* from) {
  // One instruction that reads and writes.
  asm volatile("movsq" : "+S"(from), "+D"(to) : : "memory");
}

[[gnu::noinline]] void try_to(void (*write)(volatile uint64_t*, const volatile uint64_t*),
                              volatile uint64_t* to, const volatile uint64_t* from) {
  if (sigsetjmp(after_fault, 1) == 0) write(to, from);
}

TEST(WriteWatch, LeavesOtherFaultsToOthers) {
  const OwnHandler own;
  const Pages pages(1);
  const Pages closed(1);
  mprotect(closed.area().begin, kPageBytes, PROT_NONE);
  start(pages);
  try_to(copy, closed.at(0), pages.at(0));
  EXPECT_EQ(faults, 1);
  // Reads from where nothing can be read, and writes to a page that is watched.
  try_to(copy, pages.at(8), closed.at(0));
  EXPECT_EQ(faults, 2);
  store(pages.at(16), 5);
  const auto result = WriteWatch::stop();
  ASSERT_EQ(result.writes.size(), 1u);
  EXPECT_EQ(result.writes[0].address, pages.address(16));
}

// What faulthandler does when it is enabled while a report is made.
TEST(WriteWatch, WorksAgainAfterOthersHavePutThemselvesInFront) {
  for (int turn = 0; turn < 3; ++turn) {
    const Pages pages(1);
    start(pages);
    const OwnHandler in_front;
    EXPECT_TRUE(WriteWatch::stop().writes.empty());
    start(pages);
    store(pages.at(16), 5);
    EXPECT_EQ(WriteWatch::stop().writes.size(), 1u);
    EXPECT_EQ(faults, 0);
    try_to(copy, nullptr, pages.at(0));
    EXPECT_EQ(faults, 1);
  }
}

// A debugger that takes the traps for its own. Answers how the child ended.
int debug(pid_t child) {
  for (int status = 0; waitpid(child, &status, 0) == child;) {
    if (!WIFSTOPPED(status)) return status;
    const int signal = WSTOPSIG(status);
    ptrace(PTRACE_CONT, child, nullptr, signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
  }
  return -1;
}

TEST(WriteWatch, RefusesWhereInstructionsCannotBeRunOneByOne) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    const Pages pages(1);
    const WatchedArea area = pages.area();
    const char* why = WriteWatch::start({&area, 1});
    if (why == nullptr || std::strstr(why, "one by one") == nullptr) _exit(2);
    if (WriteWatch::is_on()) _exit(3);
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, nullptr, &blocked);
    if (sigismember(&blocked, SIGALRM) != 0) _exit(4);
    store(pages.at(0), 1);
    _exit(*pages.at(0) == 1 ? 0 : 5);
  }
  const int status = debug(child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

std::atomic<int> seen;

TEST(ChainedHandler, AsksTheNewestFirst) {
  static ChainedHandler older(SIGUSR1, [](siginfo_t*, void*) { return seen += 1, true; });
  static ChainedHandler newer(SIGUSR1, [](siginfo_t*, void*) { return seen += 10, seen < 30; });
  seen = 0;
  ASSERT_TRUE(older.install());
  ASSERT_TRUE(newer.install());
  ASSERT_TRUE(newer.install()) << "twice is once";
  raise(SIGUSR1);
  EXPECT_EQ(seen, 10);
  raise(SIGUSR1);
  raise(SIGUSR1);
  EXPECT_EQ(seen, 31) << "what the newer one does not take goes to the older one";
  older.remove();
  newer.remove();
  struct sigaction now;
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_NE(now.sa_handler, SIG_DFL) << "the older one had another in front of it";
  ASSERT_TRUE(older.install());
  raise(SIGUSR1);
  EXPECT_EQ(seen, 32);
  older.remove();
}

TEST(ChainedHandler, HasTheDefaultEffectWhenNobodyTakesIt) {
  EXPECT_EXIT(
      {
        static ChainedHandler none(SIGSEGV, [](siginfo_t*, void*) { return false; });
        signal(SIGSEGV, SIG_DFL);
        if (none.install()) raise(SIGSEGV);
      },
      ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(
      {
        static ChainedHandler none(SIGSEGV, [](siginfo_t*, void*) { return false; });
        signal(SIGSEGV, SIG_DFL);
        if (none.install()) store(nullptr, 1);
      },
      ::testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace tenure::image
