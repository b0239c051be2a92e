#include "tenure/immortal/image/write_watch.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/signal_chain.h"

namespace tenure::image {
namespace {

constexpr greg_t kTrapFlag = 0x100;  // of EFLAGS: a trap after the next instruction
constexpr greg_t kWriteFault = 0x2;  // of the error code of a page fault
constexpr uint32_t kNoRecord = 0;    // in the index, which counts from 1
constexpr size_t kOpenRangesMax =
    4;  // an instruction writes to two pages at most, a rare one to more

bool on_fault(siginfo_t* info, void* context);
bool on_trap(siginfo_t* info, void* context);

constinit ChainedHandler fault_handler(SIGSEGV, on_fault);
constinit ChainedHandler trap_handler(SIGTRAP, on_trap);

// An instruction that is being run with the pages open that it writes to.
struct StepState {
  std::array<WatchedArea, kOpenRangesMax> open{};
  size_t open_count = 0;
  uint64_t blocked = 0;  // the signals that the thread had blocked, as the kernel writes them down
  WriteRecord write{};   // what is known before the instruction has run
  size_t window_bytes = 0;
};

// All of it that is no atomic is guarded by `owner`, or written before `on` is set.
struct Watch {
  std::atomic<bool> on{false};
  std::atomic<pid_t> owner{0};    // the thread that is stepping or recording; 0: none
  std::atomic<pid_t> process{0};  // whose threads `owner` tells
  std::span<WatchedArea> areas;   // sorted; never unmapped, a handler may be late
  std::span<WriteRecord> records;
  std::span<uint32_t> index;  // of records by address and instruction, from 1; a power of two
  size_t used = 0;
  uint64_t unrecorded = 0;
  StepState step;
};

constinit Watch watch;

pid_t thread_id() { return static_cast<pid_t>(syscall(SYS_gettid)); }

template <typename T>
std::span<T> map_array(size_t count) {
  void* memory = mmap(nullptr, std::max<size_t>(count, 1) * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? std::span<T>() : std::span(static_cast<T*>(memory), count);
}

template <typename T>
void unmap_array(std::span<T> array) {
  if (array.data() != nullptr) munmap(array.data(), std::max<size_t>(array.size(), 1) * sizeof(T));
}

// The area that holds the address; null if none does.
const WatchedArea* area_of(const std::byte* address) {
  const auto after = std::upper_bound(
      watch.areas.begin(), watch.areas.end(), address,
      [](const std::byte* wanted, const WatchedArea& area) { return wanted < area.begin; });
  if (after == watch.areas.begin()) return nullptr;
  const WatchedArea& area = *std::prev(after);
  return static_cast<size_t>(address - area.begin) < area.bytes ? &area : nullptr;
}

bool set_protection(const WatchedArea& area, int protection) {
  return mprotect(area.begin, area.bytes, protection) == 0;
}

bool open_page(const WatchedArea& area, std::byte* address) {
  StepState& step = watch.step;
  if (step.open_count == step.open.size()) return false;
  auto* page = reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(address) &
                                            ~uintptr_t{kPageBytes - 1});
  WatchedArea range = {page, kPageBytes};
  // A page apart from its neighbours is a mapping more, of which a process has a limited number.
  if (!set_protection(range, PROT_READ | PROT_WRITE)) {
    range = area;
    if (!set_protection(range, PROT_READ | PROT_WRITE)) return false;
  }
  step.open[step.open_count++] = range;
  return true;
}

void close_pages() {
  StepState& step = watch.step;
  while (step.open_count > 0) set_protection(step.open[--step.open_count], PROT_READ);
}

// The mask in a signal's frame is the kernel's, of 64 signals; behind it comes something else.
uint64_t& blocked_in(ucontext_t* context) {
  return *reinterpret_cast<uint64_t*>(&context->uc_sigmask);
}

constexpr uint64_t bit_of(int signal) { return uint64_t{1} << (signal - 1); }

// All but those by which an instruction itself fails.
constexpr uint64_t kBlockedInStep =
    ~(bit_of(SIGSEGV) | bit_of(SIGTRAP) | bit_of(SIGBUS) | bit_of(SIGFPE) | bit_of(SIGILL));

void begin_step(const WatchedArea& area, std::byte* address, ucontext_t* context) {
  StepState& step = watch.step;
  WriteRecord& write = step.write;
  write = {};
  write.address = reinterpret_cast<uint64_t>(address);
  write.instruction = static_cast<uint64_t>(context->uc_mcontext.gregs[REG_RIP]);
  write.window = write.address & ~uint64_t{7};
  const auto end = reinterpret_cast<uint64_t>(area.begin) + area.bytes;
  step.window_bytes = std::min<size_t>(WriteRecord::kWindowBytes, end - write.window);
  std::memcpy(write.before.data(), reinterpret_cast<void*>(write.window), step.window_bytes);
  step.blocked = blocked_in(context);
  blocked_in(context) = kBlockedInStep;
  context->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
}

// Requires: this thread is the owner.
void end_step(ucontext_t* context) {
  close_pages();
  blocked_in(context) = watch.step.blocked;
  context->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  watch.owner.store(0, std::memory_order_release);
}

void record() {
  const StepState& step = watch.step;
  const WriteRecord& write = step.write;
  const size_t mask = watch.index.size() - 1;
  size_t at = (write.address * 0x9e3779b97f4a7c15 ^ write.instruction * 0xc2b2ae3d27d4eb4f) >> 20;
  WriteRecord* found = nullptr;
  for (; found == nullptr; ++at) {
    uint32_t& number = watch.index[at & mask];
    if (number == kNoRecord) {
      if (watch.used == watch.records.size()) {
        ++watch.unrecorded;
        return;
      }
      watch.records[watch.used] = write;
      number = static_cast<uint32_t>(++watch.used);
    }
    WriteRecord& one = watch.records[number - 1];
    if (one.address == write.address && one.instruction == write.instruction) found = &one;
  }
  ++found->count;
  std::memcpy(found->after.data(), reinterpret_cast<void*>(write.window), step.window_bytes);
}

// In a forked child there is no other thread, and the one that was stepping may have been one.
void notice_fork() {
  const pid_t self = getpid();
  pid_t known = watch.process.load(std::memory_order_relaxed);
  if (known == self || !watch.process.compare_exchange_strong(known, self)) return;
  close_pages();
  watch.owner.store(0, std::memory_order_release);
}

bool on_fault(siginfo_t* info, void* argument) {
  auto* context = static_cast<ucontext_t*>(argument);
  auto* address = static_cast<std::byte*>(info->si_addr);
  const bool is_write =
      info->si_code == SEGV_ACCERR && (context->uc_mcontext.gregs[REG_ERR] & kWriteFault) != 0;
  const WatchedArea* area = is_write ? area_of(address) : nullptr;
  notice_fork();
  const pid_t self = thread_id();
  if (watch.owner.load(std::memory_order_acquire) == self) {
    if (info->si_code > 0 && area != nullptr && open_page(*area, address)) return true;
    // The instruction fails for a reason of its own, with nothing written.
    end_step(context);
    return false;
  }
  if (area == nullptr) return false;
  pid_t nobody = 0;
  while (!watch.owner.compare_exchange_weak(nobody, self, std::memory_order_acquire)) {
    nobody = 0;
    sched_yield();
  }
  if (!watch.on.load(std::memory_order_relaxed)) {
    // It has ended since the fault: the page is as it is without a watch.
    watch.owner.store(0, std::memory_order_release);
    return true;
  }
  if (!open_page(*area, address)) {
    watch.owner.store(0, std::memory_order_release);
    return false;
  }
  begin_step(*area, address, context);
  return true;
}

bool on_trap(siginfo_t*, void* argument) {
  if (watch.owner.load(std::memory_order_acquire) != thread_id()) return false;
  record();
  end_step(static_cast<ucontext_t*>(argument));
  return true;
}

void forget_records() {
  std::fill(watch.index.begin(), watch.index.end(), kNoRecord);
  watch.used = 0;
  watch.unrecorded = 0;
}

bool make_room(std::span<const WatchedArea> areas, size_t records) {
  // One more area: the page of see_own_write().
  const std::span<WatchedArea> old = watch.areas;
  watch.areas = map_array<WatchedArea>(areas.size() + 1);
  if (watch.areas.data() == nullptr) {
    watch.areas = old;
    return false;
  }
  unmap_array(watch.records);
  unmap_array(watch.index);
  watch.records = map_array<WriteRecord>(records);
  watch.index = map_array<uint32_t>(std::bit_ceil(records * 2));
  return watch.records.data() != nullptr && watch.index.data() != nullptr;
}

// A page of our own to try on; null without memory. Mapped once, because a handler may be late.
std::byte* probe_page() {
  static void* const page =
      mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? nullptr : static_cast<std::byte*>(page);
}

// A write to a page that is watched comes to be recorded, unless the trap flag is somebody else's.
bool sees_own_write(std::byte* page) {
  *static_cast<volatile char*>(static_cast<void*>(page)) = 1;
  const bool stepped = watch.owner.load(std::memory_order_acquire) == 0 && watch.used == 1;
  if (!stepped && watch.owner.load(std::memory_order_relaxed) == thread_id()) {
    // Nobody has put back what was changed for the step.
    sigset_t blocked;
    sigemptyset(&blocked);
    std::memcpy(&blocked, &watch.step.blocked, sizeof watch.step.blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
    __writeeflags(__readeflags() & ~static_cast<uint64_t>(kTrapFlag));
    close_pages();
    watch.owner.store(0, std::memory_order_release);
  }
  forget_records();
  return stepped;
}

void end_watch() {
  const pid_t self = thread_id();
  pid_t nobody = 0;
  while (!watch.owner.compare_exchange_weak(nobody, self, std::memory_order_acquire)) {
    nobody = 0;
    sched_yield();
  }
  watch.on.store(false, std::memory_order_relaxed);
  for (const WatchedArea& area : watch.areas) set_protection(area, PROT_READ | PROT_WRITE);
  watch.owner.store(0, std::memory_order_release);
  fault_handler.remove();
  trap_handler.remove();
}

}  // namespace

const char* WriteWatch::start(std::span<const WatchedArea> areas, size_t records) {
  const WatchedArea probe = {probe_page(), kPageBytes};
  if (probe.begin == nullptr || !make_room(areas, records)) {
    return "there is no memory for its records";
  }
  std::copy(areas.begin(), areas.end(), watch.areas.begin());
  watch.areas.back() = probe;
  std::sort(watch.areas.begin(), watch.areas.end(),
            [](const WatchedArea& a, const WatchedArea& b) { return a.begin < b.begin; });
  forget_records();
  watch.process.store(getpid(), std::memory_order_relaxed);
  watch.on.store(true, std::memory_order_release);
  const char* why = nullptr;
  if (!fault_handler.install() || !trap_handler.install()) {
    why = "the signals SIGSEGV and SIGTRAP are not to be had";
  } else if (!set_protection(probe, PROT_READ) || !sees_own_write(probe.begin)) {
    why = "instructions cannot be run one by one here, as under a debugger or an emulator";
  } else if (!std::all_of(watch.areas.begin(), watch.areas.end(), [](const WatchedArea& area) {
               return set_protection(area, PROT_READ);
             })) {
    why = "the system refuses to protect so many pages";
  }
  if (why != nullptr) end_watch();
  return why;
}

WriteWatch::Result WriteWatch::stop() {
  end_watch();
  Result result;
  result.writes.assign(watch.records.begin(),
                       watch.records.begin() + static_cast<std::ptrdiff_t>(watch.used));
  result.unrecorded = watch.unrecorded;
  return result;
}

bool WriteWatch::is_on() { return watch.on.load(std::memory_order_acquire); }

bool WriteWatch::sees(const void* address) {
  return is_on() && area_of(static_cast<const std::byte*>(address)) != nullptr;
}

}  // namespace tenure::image
