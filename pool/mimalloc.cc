#include "tenure/pool/mimalloc.h"

#include <dlfcn.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "tenure/pool/fork_gate.h"

namespace tenure::pool {

namespace internal {
constinit std::atomic<const Mimalloc*> mimalloc_table{nullptr};
}  // namespace internal

namespace {

constexpr char kLibrary[] = "libmimalloc.so.3";
// First-class heaps that any thread may use.
constexpr int kOldestMajor = 3;
// The library's own unit.
constexpr long kSmallestPurgeKib = 64;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// The stand-ins. A heap is told from none by a pointer that nobody follows.
char stand_in;
mi_heap_t* stand_in_heap() noexcept { return reinterpret_cast<mi_heap_t*>(&stand_in); }

constexpr Mimalloc kStandIns = {
    .heap_new = &stand_in_heap,
    .heap_delete = [](mi_heap_t*) {},
    .heap_destroy = [](mi_heap_t*) {},
    .heap_collect = [](mi_heap_t*, bool) {},
    .heap_malloc = [](mi_heap_t*, size_t size) noexcept { return std::malloc(size); },
    .heap_zalloc = [](mi_heap_t*, size_t size) noexcept { return std::calloc(1, size); },
    .heap_calloc = [](mi_heap_t*, size_t count,
                      size_t size) noexcept { return std::calloc(count, size); },
    .heap_realloc =
        [](mi_heap_t*, void* block, size_t size) noexcept {
          // A size of zero would free the block, and null mean that it has.
          return std::realloc(block, size == 0 ? 1 : size);
        },
    .heap_malloc_aligned = [](mi_heap_t*, size_t size, size_t alignment) noexcept -> void* {
      void* block = nullptr;
      if (alignment < sizeof(void*)) alignment = sizeof(void*);
      return posix_memalign(&block, alignment, size) == 0 ? block : nullptr;
    },
    .heap_stats_get = [](mi_heap_t*, mi_stats_t*) noexcept { return false; },
    .heap_visit_blocks = [](mi_heap_t*, bool, mi_block_visit_fun*, void*) { return false; },
    .heap_main = &stand_in_heap,
    .free = [](void* block) noexcept { std::free(block); },
    .usable_size =
        [](const void* block) noexcept { return malloc_usable_size(const_cast<void*>(block)); },
    .collect = [](bool) noexcept {},
    .arenas_purge = []() noexcept {},
    .is_mimalloc = false,
    .what = {},
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, Mimalloc& table) {
  return find(library, "mi_heap_new", table.heap_new) &&
         find(library, "mi_heap_delete", table.heap_delete) &&
         find(library, "mi_heap_destroy", table.heap_destroy) &&
         find(library, "mi_heap_collect", table.heap_collect) &&
         find(library, "mi_heap_malloc", table.heap_malloc) &&
         find(library, "mi_heap_zalloc", table.heap_zalloc) &&
         find(library, "mi_heap_calloc", table.heap_calloc) &&
         find(library, "mi_heap_realloc", table.heap_realloc) &&
         find(library, "mi_heap_malloc_aligned", table.heap_malloc_aligned) &&
         find(library, "mi_heap_stats_get", table.heap_stats_get) &&
         find(library, "mi_heap_visit_blocks", table.heap_visit_blocks) &&
         find(library, "mi_heap_main", table.heap_main) && find(library, "mi_free", table.free) &&
         find(library, "mi_usable_size", table.usable_size) &&
         find(library, "mi_collect", table.collect) &&
         find(library, "mi_arenas_purge", table.arenas_purge);
}

// False with the reason in `table.what`.
bool open(Mimalloc& table) {
  // Local, so that its malloc() is in nobody's sight; and never closed, because blocks of it may
  // live as long as the process.
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    std::snprintf(table.what, sizeof table.what, "malloc: %s", dlerror());
    return false;
  }
  decltype(&mi_version) version_of = nullptr;
  if (!find(library, "mi_version", version_of)) {
    std::snprintf(table.what, sizeof table.what, "malloc: %s is not mimalloc", kLibrary);
    return false;
  }
  // 30607 is 3.6.7; before 3.3 it was 307 for 3.0.7.
  const int version = version_of();
  const int major = version >= 10000 ? version / 10000 : version / 100;
  const int minor = version >= 10000 ? version / 100 % 100 : version / 10 % 10;
  if (major < kOldestMajor) {
    std::snprintf(table.what, sizeof table.what, "malloc: mimalloc %d is older than %d", major,
                  kOldestMajor);
    return false;
  }
  // What the library calls of its own is found in the process's first, so it would be another's.
  void* const in_sight = dlsym(RTLD_DEFAULT, "mi_version");
  if (in_sight != nullptr && in_sight != reinterpret_cast<void*>(version_of)) {
    std::snprintf(table.what, sizeof table.what,
                  "malloc: another mimalloc is linked with the process");
    return false;
  }
  decltype(&mi_thread_done) thread_done = nullptr;
  if (!find(library, "mi_thread_done", thread_done) || !find_all(library, table)) {
    std::snprintf(table.what, sizeof table.what,
                  "malloc: mimalloc %d.%d has not all the functions that 3.6 has", major, minor);
    return false;
  }
  // Where the kernel has huge pages it gives no range back that is smaller than one, and of what a
  // program has freed here and there that is most. Only where the environment says nothing of it.
  decltype(&mi_option_get) get_option = nullptr;
  decltype(&mi_option_set_default) set_default = nullptr;
  if (find(library, "mi_option_get", get_option) &&
      find(library, "mi_option_set_default", set_default)) {
    // Makes it read the environment.
    static_cast<void>(get_option(mi_option_arena_purge_min_size));
    set_default(mi_option_arena_purge_min_size, kSmallestPurgeKib);
  }
  std::snprintf(table.what, sizeof table.what, "mimalloc %d.%d", major, minor);
  table.is_mimalloc = true;
  internal::put_gate(table, thread_done);
  return true;
}

void fill(Mimalloc& table, bool is_for_sanitizer) {
  table = kStandIns;
  if (is_for_sanitizer) {
    std::snprintf(table.what, sizeof table.what, "malloc: a sanitizer is to see each block");
  } else if (!open(table)) {
    Mimalloc stand_ins = kStandIns;
    std::snprintf(stand_ins.what, sizeof stand_ins.what, "%s", table.what);
    table = stand_ins;
  }
}

}  // namespace

const Mimalloc& internal::load_mimalloc() {
  // No lock around dlopen(), which has one of its own that others hold while they come here from
  // the constructors of a library. Two threads may both find the functions; one table is kept.
  auto* const made = static_cast<Mimalloc*>(std::malloc(sizeof(Mimalloc)));
  static constinit Mimalloc emergency = kStandIns;
  if (made == nullptr) return emergency;
  fill(*made, kIsSanitized);
  const Mimalloc* kept = nullptr;
  // Release: publishes the table to mimalloc(). Acquire: another's table, if it was first.
  if (mimalloc_table.compare_exchange_strong(kept, made, std::memory_order_acq_rel)) return *made;
  std::free(made);
  return *kept;
}

void replace_mimalloc_for_testing(const Mimalloc* table) {
  internal::mimalloc_table.store(table, std::memory_order_release);
}

const Mimalloc& packaged_mimalloc_for_testing() {
  static const Mimalloc table = [] {
    Mimalloc found;
    fill(found, false);
    return found;
  }();
  return table;
}

const Mimalloc& stand_ins_for_testing() { return kStandIns; }

}  // namespace tenure::pool
