#include "tenure/tests/support/scarce_memory.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

#include <gtest/gtest.h>

#include "tenure/pool/mimalloc.h"

// The linker gives our own code these for the functions without "__wrap_" (see BUILD.bazel), and
// these here the functions.
extern "C" {
void* __real_malloc(size_t);
void* __real_calloc(size_t, size_t);
void* __real_realloc(void*, size_t);
void* __real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void**, size_t, size_t);
void __real_free(void*);
void* __real__ZnwmRKSt9nothrow_t(size_t, const std::nothrow_t&) noexcept;
void* __real__ZnamRKSt9nothrow_t(size_t, const std::nothrow_t&) noexcept;
}

namespace tenure::testing {
namespace {

using pool::Mimalloc;

// Blocks that were allocated while memory was scarce and not freed, with the heap of each.
class Live {
 public:
  void* add(void* block, const void* heap = nullptr) {
    if (block == nullptr) return nullptr;
    const std::lock_guard lock(mutex_);
    blocks_.insert_or_assign(block, heap);
    return block;
  }
  // Whether it was one of them.
  bool remove(const void* block) {
    const std::lock_guard lock(mutex_);
    return blocks_.erase(block) > 0;
  }
  void remove_all_of(const void* heap) {
    const std::lock_guard lock(mutex_);
    std::erase_if(blocks_, [heap](const auto& each) { return each.second == heap; });
  }
  long count() {
    const std::lock_guard lock(mutex_);
    return static_cast<long>(blocks_.size());
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    blocks_.clear();
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_. Its nodes come from the plain `new`, which does not come back here.
  std::unordered_map<const void*, const void*> blocks_;
};

Live& live() {
  static Live blocks;
  return blocks;
}

// Whether a ScarceMemory lives. Relaxed: a thread that allocates meanwhile is ordered by the test.
std::atomic<bool> is_scarce{false};

bool may_allocate() {
  return !is_scarce.load(std::memory_order_relaxed) || FailingMemory::may_allocate();
}

void* allocated(void* block, const void* heap = nullptr) {
  return is_scarce.load(std::memory_order_relaxed) ? live().add(block, heap) : block;
}

// Whether the block is younger than the scarcity.
bool freed(const void* block) {
  return block != nullptr && is_scarce.load(std::memory_order_relaxed) && live().remove(block);
}

// What realloc() has answered, of a block that was freed() before: later it may be another's.
void* reallocated(void* block, bool was_live, void* moved, const void* heap = nullptr) {
  if (moved != nullptr) return block == nullptr || was_live ? allocated(moved, heap) : moved;
  if (was_live) allocated(block, heap);
  return nullptr;
}

// The library's functions, and what stands before them.
const Mimalloc* real_mimalloc = nullptr;
Mimalloc scarce_mimalloc;

void put_before(const Mimalloc& real) {
  real_mimalloc = &real;
  scarce_mimalloc = real;
  Mimalloc& table = scarce_mimalloc;
  table.heap_new = []() noexcept -> mi_heap_t* {
    if (!may_allocate()) return nullptr;
    mi_heap_t* const heap = real_mimalloc->heap_new();
    // All heaps of the stand-ins are one.
    if (real_mimalloc->is_mimalloc) allocated(heap);
    return heap;
  };
  table.heap_delete = [](mi_heap_t* heap) {
    freed(heap);
    real_mimalloc->heap_delete(heap);
  };
  table.heap_destroy = [](mi_heap_t* heap) {
    freed(heap);
    if (real_mimalloc->is_mimalloc) live().remove_all_of(heap);
    real_mimalloc->heap_destroy(heap);
  };
  table.heap_malloc = [](mi_heap_t* heap, size_t size) noexcept -> void* {
    return may_allocate() ? allocated(real_mimalloc->heap_malloc(heap, size), heap) : nullptr;
  };
  table.heap_zalloc = [](mi_heap_t* heap, size_t size) noexcept -> void* {
    return may_allocate() ? allocated(real_mimalloc->heap_zalloc(heap, size), heap) : nullptr;
  };
  table.heap_calloc = [](mi_heap_t* heap, size_t count, size_t size) noexcept -> void* {
    if (!may_allocate()) return nullptr;
    return allocated(real_mimalloc->heap_calloc(heap, count, size), heap);
  };
  table.heap_realloc = [](mi_heap_t* heap, void* block, size_t size) noexcept -> void* {
    if (!may_allocate()) return nullptr;
    const bool was_live = freed(block);
    return reallocated(block, was_live, real_mimalloc->heap_realloc(heap, block, size), heap);
  };
  table.heap_malloc_aligned = [](mi_heap_t* heap, size_t size, size_t to) noexcept -> void* {
    if (!may_allocate()) return nullptr;
    return allocated(real_mimalloc->heap_malloc_aligned(heap, size, to), heap);
  };
  table.free = [](void* block) noexcept {
    freed(block);
    real_mimalloc->free(block);
  };
}

bool is_of_use() {
  const Strong globals = PyDict_New();
  if (!globals) return false;
  const Strong answer =
      PyRun_String("sum(len(str(i)) for i in range(100)) == 190 and [*map(bytes, range(3))]",
                   Py_eval_input, globals.get(), globals.get());
  return answer && PyObject_IsTrue(answer.get()) == 1;
}

struct Run {
  bool has_succeeded;
  long failures;
  long kept;
};

Run run(const std::function<bool()>& scenario, long n, Fails fails) {
  const ScarceMemory scarce(n, fails);
  const bool has_succeeded = scenario();
  return {has_succeeded, ScarceMemory::failures(), ScarceMemory::kept()};
}

// What is wrong with what a run says, or an empty text. Clears the error.
std::string complaint(const Run& done, const ScarcityOptions& options) {
  const std::string error = options.is_python ? take_error() : "";
  if (done.has_succeeded && !error.empty()) return "has succeeded, and left " + error;
  if (done.has_succeeded) {
    const bool is_odd = done.failures > 0 && !options.may_do_without;
    return is_odd ? "has succeeded although an allocation failed" : "";
  }
  if (done.failures == 0) return "has failed, though every allocation succeeded";
  if (options.is_python && error != "MemoryError") {
    return "has failed, and left " + (error.empty() ? "no error" : error);
  }
  return "";
}

// Caches that are filled or emptied on the way settle when a run is repeated; a leak does not.
constexpr int kTries = 4;

std::string try_run(const std::function<bool()>& scenario, long n, Fails fails,
                    const ScarcityOptions& options, bool& is_last) {
  long kept = 0;
  for (int tried = 0; tried < kTries; ++tried) {
    // Nothing else in between, which might empty the interpreter's free lists for the next one.
    const Run done = run(scenario, n, fails);
    std::string what = complaint(done, options);
    if (!what.empty()) return what;
    is_last = done.failures == 0;
    kept = done.kept;
    if (kept == 0) break;
  }
  if (kept != 0)
    return "leaves " + std::to_string(kept) + " blocks more than there were, each time";
  if (options.is_python && !is_of_use()) {
    return "has left an interpreter that is of no use: " + take_error();
  }
  return "";
}

}  // namespace

ScarceMemory::ScarceMemory(long n, Fails fails) : python_(n, fails) {
  live().clear();
  // What finding the library asks for is not the scenario's.
  put_before(pool::mimalloc());
  pool::replace_mimalloc_for_testing(&scarce_mimalloc);
  is_scarce.store(true, std::memory_order_relaxed);
}

ScarceMemory::~ScarceMemory() {
  is_scarce.store(false, std::memory_order_relaxed);
  pool::replace_mimalloc_for_testing(real_mimalloc);
}

long ScarceMemory::failures() { return FailingMemory::failures(); }

long ScarceMemory::kept() { return FailingMemory::kept() + live().count(); }

void expect_survives_scarcity(const std::function<bool()>& scenario, ScarcityOptions options) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(scenario()) << "fails with all the memory there is: "
                            << (options.is_python ? take_error() : "");
  }
  for (const Fails fails : {Fails::kOnce, Fails::kFromThenOn}) {
    bool is_last = false;
    for (long n = 0; !is_last; ++n) {
      ASSERT_LT(n, options.most) << "it is never done";
      const std::string what = try_run(scenario, n, fails, options, is_last);
      ASSERT_EQ(what, "") << "when allocation " << n
                          << (fails == Fails::kOnce ? " fails" : " and all after it fail");
      ASSERT_FALSE(is_last && n == 0) << "nothing was asked for";
    }
  }
}

}  // namespace tenure::testing

extern "C" {

void* __wrap_malloc(size_t size) {
  namespace t = tenure::testing;
  if (!t::may_allocate()) return nullptr;
  return t::allocated(__real_malloc(size));
}

void* __wrap_calloc(size_t count, size_t size) {
  namespace t = tenure::testing;
  if (!t::may_allocate()) return nullptr;
  return t::allocated(__real_calloc(count, size));
}

void* __wrap_realloc(void* block, size_t size) {
  namespace t = tenure::testing;
  if (!t::may_allocate()) return nullptr;
  const bool was_live = t::freed(block);
  void* const moved = __real_realloc(block, size);
  // With a size of zero, null means that the block is freed.
  return moved == nullptr && size == 0 ? moved : t::reallocated(block, was_live, moved);
}

void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  namespace t = tenure::testing;
  if (!t::may_allocate()) return nullptr;
  return t::allocated(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void** block, size_t alignment, size_t size) {
  namespace t = tenure::testing;
  if (!t::may_allocate()) return ENOMEM;
  const int failed = __real_posix_memalign(block, alignment, size);
  if (failed == 0) t::allocated(*block);
  return failed;
}

void __wrap_free(void* block) {
  tenure::testing::freed(block);
  __real_free(block);
}

void* __wrap__ZnwmRKSt9nothrow_t(size_t size, const std::nothrow_t& tag) noexcept {
  return tenure::testing::may_allocate() ? __real__ZnwmRKSt9nothrow_t(size, tag) : nullptr;
}

void* __wrap__ZnamRKSt9nothrow_t(size_t size, const std::nothrow_t& tag) noexcept {
  return tenure::testing::may_allocate() ? __real__ZnamRKSt9nothrow_t(size, tag) : nullptr;
}

}  // extern "C"
