#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/instance_memory.h"

#include <cstring>
#include <initializer_list>

#ifndef Py_GIL_DISABLED
#include <internal/pycore_ceval.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#endif

namespace tenure::abi {

namespace internal {
const void* const unknown_tracer = &unknown_tracer;
std::atomic<const void* const*> tracer_place{&unknown_tracer};

void unlink_with_bits(const CollectorHead* head) {
  const uintptr_t previous = head->previous & ~kCollectorBits;
  auto* const next = reinterpret_cast<CollectorHead*>(head->next);
  reinterpret_cast<CollectorHead*>(previous)->next = head->next;
  next->previous = (next->previous & kCollectorBits) | previous;
}
}  // namespace internal

#ifdef Py_GIL_DISABLED

Found find_collector(Collector& /*collector*/) { return Found::kNo; }
bool knows_collector() { return false; }
void schedule_collection(const Collector& /*collector*/) {}
void find_tracer() {}

#else

namespace {

static_assert(sizeof(CollectorHead) == sizeof(PyGC_Head));
static_assert(offsetof(CollectorHead, next) == offsetof(PyGC_Head, _gc_next));
static_assert(offsetof(CollectorHead, previous) == offsetof(PyGC_Head, _gc_prev));
static_assert((_PyGC_PREV_MASK_FINALIZED | _PyGC_PREV_MASK_COLLECTING) == kCollectorBits);
static_assert(sizeof(YoungObjects) == sizeof(gc_generation));
static_assert(offsetof(YoungObjects, head) == offsetof(gc_generation, head));
static_assert(offsetof(YoungObjects, threshold) == offsetof(gc_generation, threshold));
static_assert(offsetof(YoungObjects, count) == offsetof(gc_generation, count));

// Whether the place that was found is the right one in this process; -1 before that is known. Two
// threads may both find out, and find the same. Relaxed: nothing else is published by it.
std::atomic<int> is_proven{-1};

template <typename State>
Collector collector_in(State& state) {
  Collector collector;
  collector.young = reinterpret_cast<YoungObjects*>(&state.generations[0]);
  constexpr bool kCounts = requires { state.heap_size; };
  static_assert(kCounts == layout::kCollectorCountsTracked);
  if constexpr (kCounts) collector.tracked = &state.heap_size;
  collector.is_enabled = &state.enabled;
  return collector;
}

// Watches an object of CPython's own appear on the lists and go.
Found prove(const Collector& collector) {
  const int count = collector.young->count;
  const auto tracked = [&] { return collector.tracked != nullptr ? *collector.tracked : 0; };
  const Py_ssize_t tracked_before = tracked();
  const uintptr_t last = collector.young->head.previous;
  // Of sets CPython keeps none for later, so that it is allocated.
  PyObject* const witness = PySet_New(nullptr);
  if (witness == nullptr) return Found::kError;
  constexpr Py_ssize_t kStep = layout::kCollectorCountsTracked ? 1 : 0;
  const auto head = reinterpret_cast<uintptr_t>(collector_head(witness));
  const auto end = reinterpret_cast<uintptr_t>(&collector.young->head);
  bool is_right = collector.young->count == count + 1 && collector.young->head.previous == head &&
                  collector_head(witness)->next == end &&
                  (collector_head(witness)->previous & ~kCollectorBits) == last &&
                  tracked() == tracked_before + kStep;
  PyObject_GC_UnTrack(witness);
  is_right = is_right && collector.young->head.previous == last && tracked() == tracked_before;
  Py_DECREF(witness);
  is_right = is_right && collector.young->count == count;
  const int was_enabled = PyGC_Disable();
  is_right = is_right && *collector.is_enabled == 0;
  PyGC_Enable();
  is_right = is_right && *collector.is_enabled != 0;
  if (was_enabled == 0) PyGC_Disable();
  return is_right ? Found::kYes : Found::kNo;
}

}  // namespace

Found find_collector(Collector& collector) {
  if (is_proven.load(std::memory_order_relaxed) == 0) return Found::kNo;
  const Collector candidate = collector_in(PyInterpreterState_Get()->gc);
  if (is_proven.load(std::memory_order_relaxed) < 0) {
    const Found found = prove(candidate);
    if (found == Found::kError) return found;
    is_proven.store(found == Found::kYes ? 1 : 0, std::memory_order_relaxed);
    if (found == Found::kNo) return found;
  }
  collector = candidate;
  return Found::kYes;
}

bool knows_collector() { return is_proven.load(std::memory_order_relaxed) > 0; }

void schedule_collection(const Collector& collector) {
  if (collector.young->threshold == 0) return;
  PyThreadState* const state = current_state();
  if (interpreter_of(state)->gc.collecting != 0 || has_error(state)) return;
  if (!_Py_eval_breaker_bit_is_set(state, _PY_GC_SCHEDULED_BIT)) {
    _Py_set_eval_breaker_bit(state, _PY_GC_SCHEDULED_BIT);
  }
}

namespace {

bool is_code(const unsigned char* code, std::initializer_list<unsigned char> bytes) {
  return std::memcmp(code, bytes.begin(), bytes.size()) == 0;
}

int32_t number_at(const unsigned char* code) {
  int32_t number;
  std::memcpy(&number, code, sizeof number);
  return number;
}

// What the code of a function that answers the tracer reads it from; null if it has another form.
const void* tracer_place_in(const unsigned char* code) {
  // endbr64
  if (is_code(code, {0xf3, 0x0f, 0x1e, 0xfa})) code += 4;
  // In a program: test %rdi,%rdi; je over the next two; mov data(%rip),%rax; mov %rax,(%rdi);
  // mov tracer(%rip),%rax; ret
  if (is_code(code, {0x48, 0x85, 0xff, 0x74, 0x0a, 0x48, 0x8b, 0x05}) &&
      is_code(code + 12, {0x48, 0x89, 0x07, 0x48, 0x8b, 0x05}) && code[22] == 0xc3) {
    return code + 22 + number_at(code + 18);
  }
  // In a shared library: mov runtime(%rip),%rax; test %rdi,%rdi; je over the next two;
  // mov data(%rax),%rdx; mov %rdx,(%rdi); mov tracer(%rax),%rax; ret
  if (is_code(code, {0x48, 0x8b, 0x05}) &&
      is_code(code + 7, {0x48, 0x85, 0xff, 0x74, 0x0a, 0x48, 0x8b, 0x90}) &&
      is_code(code + 19, {0x48, 0x89, 0x17, 0x48, 0x8b, 0x80}) && code[29] == 0xc3) {
    const char* runtime;
    std::memcpy(&runtime, code + 7 + number_at(code + 3), sizeof runtime);
    return runtime + number_at(code + 25);
  }
  return nullptr;
}

}  // namespace

void find_tracer() {
  const auto* const place = static_cast<const void* const*>(
      tracer_place_in(reinterpret_cast<const unsigned char*>(&PyRefTracer_GetTracer)));
  if (place != nullptr && *place == reinterpret_cast<const void*>(PyRefTracer_GetTracer(nullptr))) {
    internal::tracer_place.store(place, std::memory_order_relaxed);
  }
}

#endif

namespace {

// tracemalloc attaches by PyGILState_Ensure(), which in threads of other interpreters than the main
// one goes elsewhere, and it is a tracer of new objects while it is at work.
bool may_trace() {
  return PyRefTracer_GetTracer(nullptr) != nullptr &&
         PyGILState_GetThisThreadState() == current_state();
}

constexpr unsigned int kDomainOfObjects = 0;

}  // namespace

void trace_block(void* block, size_t size) {
  if (may_trace()) PyTraceMalloc_Track(kDomainOfObjects, reinterpret_cast<uintptr_t>(block), size);
}

void untrace_block(void* block) {
  if (may_trace()) PyTraceMalloc_Untrack(kDomainOfObjects, reinterpret_cast<uintptr_t>(block));
}

}  // namespace tenure::abi
