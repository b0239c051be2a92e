#include "tenure/pool/allocator.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>

#include "tenure/core/abi/allocator_moment.h"
#include "tenure/core/abi/python.h"
#include "tenure/pool/mimalloc.h"

namespace tenure::pool {
namespace {

struct Domain {
  PyMemAllocatorDomain domain;
  // Null until it is first installed, then for ever the same: blocks may outlive interpreters.
  // Acquire and release: statistics may be asked for on any thread.
  std::atomic<mi_heap_t*> heap{nullptr};
};

constinit Domain object_domain{.domain = PYMEM_DOMAIN_OBJ};
constinit Domain memory_domain{.domain = PYMEM_DOMAIN_MEM};

// The functions that both heaps are of. Written before the first of them is published, by an
// allocator being set.
const Mimalloc* functions = nullptr;

// Whether this life of Python has it. Relaxed: it is set before there are threads of Python's, and
// reset by the last of them.
std::atomic<bool> is_installed{false};

mi_heap_t* heap_of(void* context) { return static_cast<mi_heap_t*>(context); }

// CPython asks for no more than PY_SSIZE_T_MAX bytes, and wants an address of its own for nothing;
// mimalloc gives it one.
void* allocate(void* context, size_t size) {
  return functions->heap_malloc(heap_of(context), size);
}

void* allocate_zeroed(void* context, size_t count, size_t size) {
  return functions->heap_calloc(heap_of(context), count, size);
}

void* reallocate(void* context, void* block, size_t size) {
  return functions->heap_realloc(heap_of(context), block, size);
}

void release(void* /*context*/, void* block) { functions->free(block); }

bool is_set(const Domain& domain) {
  PyMemAllocatorEx now;
  PyMem_GetAllocator(domain.domain, &now);
  return now.malloc == &allocate;
}

void set(Domain& domain, mi_heap_t* heap) {
  domain.heap.store(heap, std::memory_order_release);
  PyMemAllocatorEx ours{heap, &allocate, &allocate_zeroed, &reallocate, &release};
  PyMem_SetAllocator(domain.domain, &ours);
}

AllocatorAnswer refused_for_mimalloc() {
  static std::array<char, 256> reason;
  std::snprintf(reason.data(), reason.size(),
                "there is no mimalloc for CPython's memory (%s); install the package libmimalloc3",
                mimalloc().what);
  return {AllocatorStatus::kNoMimalloc, reason.data()};
}

// What stands in the way of installing it now.
AllocatorAnswer obstacle() {
  constexpr AllocatorAnswer kNone{AllocatorStatus::kInstalled, nullptr};
  switch (abi::allocator_moment()) {
    case abi::AllocatorMoment::kNever:
      return {AllocatorStatus::kFreeThreaded,
              "free-threaded CPython cannot have another allocator: its collector needs the "
              "mimalloc that it has inside"};
    case abi::AllocatorMoment::kTooEarly:
      return {AllocatorStatus::kTooEarly,
              "Python is not pre-initialised, which would set its allocators again; call "
              "Py_PreInitialize() before install_allocator()"};
    case abi::AllocatorMoment::kTooLate:
      return {AllocatorStatus::kTooLate,
              "the interpreter has begun with another allocator; call install_allocator() between "
              "Py_PreInitialize() and Py_InitializeFromConfig()"};
    case abi::AllocatorMoment::kAskedOtherwise:
      return {AllocatorStatus::kAskedOtherwise,
              "PYTHONMALLOC or PyPreConfig.allocator asks for another allocator; unset it to have "
              "this one"};
    case abi::AllocatorMoment::kNow:
      break;
  }
  if (abi::has_had_interpreter() && functions == nullptr) {
    return {AllocatorStatus::kTooLate,
            "an interpreter has ended in this process that had another allocator, and what it left "
            "may still be freed; call install_allocator() before the first one begins"};
  }
  return kNone;
}

DomainStatistics statistics_of(const Domain& domain, bool is_still) {
  DomainStatistics found;
  mi_heap_t* const heap = domain.heap.load(std::memory_order_acquire);
  if (heap == nullptr) return found;
  // Brings what this thread's pages know to where it is asked for.
  functions->heap_collect(heap, false);
  mi_stats_t_decl(stats);
  if (functions->heap_stats_get(heap, &stats)) {
    const auto positive = [](int64_t number) {
      return static_cast<uint64_t>(std::max(number, int64_t{0}));
    };
    found.bytes = positive(stats.allocated.current);
    found.peak_bytes = std::max(positive(stats.allocated.peak), found.bytes);
    found.allocations = positive(stats.malloc_count.total);
    found.frees = std::min(positive(stats.free_count.total), found.allocations);
  }
  if (is_still) {
    functions->heap_visit_blocks(
        heap, false,
        [](const mi_heap_t*, const mi_heap_area_t* area, void*, size_t, void* sum) {
          *static_cast<uint64_t*>(sum) += area->committed;
          return true;
        },
        &found.committed_bytes);
  }
  return found;
}

// Whether no other thread can be in the domains: it would have to be attached.
bool is_alone() {
  PyThreadState* const state = PyThreadState_GetUnchecked();
  return state != nullptr && PyThreadState_GetInterpreter(state) == PyInterpreterState_Main() &&
         PyInterpreterState_Next(PyInterpreterState_Head()) == nullptr;
}

}  // namespace

AllocatorAnswer install_allocator(AllocatorDomains domains) {
  const AllocatorAnswer no = obstacle();
  if (no.status == AllocatorStatus::kTooLate && is_installed.load(std::memory_order_relaxed)) {
    return {AllocatorStatus::kInstalled, nullptr};
  }
  if (!no) return no;
  const Mimalloc& found = functions != nullptr ? *functions : mimalloc();
  if (!found.is_mimalloc) return refused_for_mimalloc();

  const std::array<Domain*, 2> wanted = {domains.objects ? &object_domain : nullptr,
                                         domains.memory ? &memory_domain : nullptr};
  std::array<mi_heap_t*, 2> heaps{};
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == nullptr) continue;
    heaps[i] = wanted[i]->heap.load(std::memory_order_relaxed);
    if (heaps[i] == nullptr) heaps[i] = found.heap_new();
    if (heaps[i] != nullptr) continue;
    // The other heap is this call's, or it has been there before and stays.
    if (i == 1 && heaps[0] != object_domain.heap.load(std::memory_order_relaxed)) {
      found.heap_delete(heaps[0]);
    }
    return {AllocatorStatus::kNoMemory, "there is no memory for a heap of CPython's memory"};
  }
  // Python forgets by itself with this life of it; this is how we do.
  if (!is_installed.load(std::memory_order_relaxed)) {
    Py_AtExit([] { is_installed.store(false, std::memory_order_relaxed); });
    is_installed.store(true, std::memory_order_relaxed);
  }
  functions = &found;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != nullptr && !is_set(*wanted[i])) set(*wanted[i], heaps[i]);
  }
  if (abi::has_debug_hooks()) PyMem_SetupDebugHooks();
  return {AllocatorStatus::kInstalled, nullptr};
}

AllocatorStatistics allocator_statistics() {
  const bool is_still = is_alone();
  return {.is_installed = is_installed.load(std::memory_order_relaxed),
          .objects = statistics_of(object_domain, is_still),
          .memory = statistics_of(memory_domain, is_still)};
}

void trim_allocator() {
  for (const Domain* domain : {&object_domain, &memory_domain}) {
    mi_heap_t* const heap = domain->heap.load(std::memory_order_acquire);
    if (heap != nullptr) functions->heap_collect(heap, true);
  }
  if (functions != nullptr) functions->collect(true);
}

}  // namespace tenure::pool
