// Making objects of memory that CPython did not allocate, and letting go of them: what
// PyType_GenericAlloc(), PyObject_GC_Del() and PyObject_Free() do besides allocating.
//
// The collector of an interpreter keeps a list of young objects and counts allocations; when there
// were enough it is scheduled. An object of ours has to be on that list and in that count like any
// other. Where both are is taken from the installed headers and then proven by watching what an
// object of CPython's own does to them: a CPython of the same version that is laid out otherwise is
// found out, and its own allocator has to do.
//
// Not for: free-threaded builds, whose collector finds objects by walking CPython's own heaps.
//
// Thread safety: every function needs an attached thread; a Collector belongs to the interpreter it
// was found for.
#ifndef TENURE_CORE_ABI_INSTANCE_MEMORY_H_
#define TENURE_CORE_ABI_INSTANCE_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/thread.h"

#ifndef Py_GIL_DISABLED
#include "tenure/core/abi/layout.h"
#endif

namespace tenure::abi {

// In front of an object that the collector can know. `next` is zero while it does not; the lowest
// bits of `previous` are its own.
struct CollectorHead {
  uintptr_t next;
  uintptr_t previous;
};
inline constexpr uintptr_t kCollectorBits = 3;

// The youngest generation: a ring of heads, and the allocations since it was last looked through.
struct YoungObjects {
  CollectorHead head;
  int threshold;
  int count;
};

struct Collector {
  YoungObjects* young = nullptr;
  // How many objects are on its lists; null where it does not count them.
  Py_ssize_t* tracked = nullptr;
  const int* is_enabled = nullptr;
};

enum class Found : unsigned char {
  kYes,
  kNo,     // this CPython is not laid out as its headers say, or its objects must be its own
  kError,  // no memory to find out; a Python error is set
};

// The collector of the current interpreter. Once it was found in a process it always is.
Found find_collector(Collector& collector);
// Whether it was, by whoever asked.
bool knows_collector();

// What CPython puts in front of an instance: the collector's head, and two pointers of types that
// have Py_TPFLAGS_MANAGED_DICT or Py_TPFLAGS_MANAGED_WEAKREF. Negative where instances have more
// of CPython's in them than that, so that no memory but its own will do.
inline ptrdiff_t bytes_in_front(const PyTypeObject* type) {
  constexpr unsigned long kManaged = Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF;
  const unsigned long flags = type->tp_flags;
  if ((flags & Py_TPFLAGS_INLINE_VALUES) != 0) return -1;
  const bool is_collected = (flags & Py_TPFLAGS_HAVE_GC) != 0;
  const bool is_managed = (flags & kManaged) != 0;
  if (is_managed && !is_collected) return -1;
  return static_cast<ptrdiff_t>((is_collected ? sizeof(CollectorHead) : 0) +
                                (is_managed ? 2 * sizeof(PyObject*) : 0));
}

// A pointer that a type has room for and CPython makes no use of, but to drop a reference to what
// is there when the type goes, and to show it to the collector. Types that derive from it have
// their own. Null until it is set; what is set is immortal and not the collector's, or null.
//
// Not for: static types, which are several interpreters' at once.
inline PyObject*& note_of(PyTypeObject* type) { return type->tp_cache; }

namespace internal {
// Where the interpreter keeps the function that is told of new objects; at first, and where that is
// not known, something that is not null. Written once, by find_tracer(); relaxed, because calling
// _Py_NewReference() is always right.
extern const void* const unknown_tracer;
extern std::atomic<const void* const*> tracer_place;
// Takes an object off its list, where bits of the collector's have to be looked at.
void unlink_with_bits(const CollectorHead* head);
}  // namespace internal

// Reads out of PyRefTracer_GetTracer() where the tracer is; where it is of another form than
// compilers give it, _Py_NewReference() goes on being called. Requires: attached.
void find_tracer();

// Where to look whether somebody is told of new objects. The same for as long as the process has
// this interpreter, once find_tracer() was called.
inline const void* const* tracer_place() {
  return internal::tracer_place.load(std::memory_order_relaxed);
}

// Whether start_object_quickly() may be called: nobody is told of new objects.
inline bool may_start_quickly(const void* const* place) {
#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
  (void)place;
  return false;
#else
  // Volatile, so that it is looked at where it is and no copy of it is kept.
  return *const_cast<const void* const volatile*>(place) == nullptr;
#endif
}

// PyObject_Init(), inlined. Requires: memory for an instance of the type; may_start_quickly().
[[gnu::always_inline]] inline void start_object_quickly(PyObject* object, PyTypeObject* type) {
#ifdef Py_GIL_DISABLED
  PyObject_Init(object, type);
#else
  Py_INCREF(type);
  Py_SET_TYPE(object, type);
  layout::set_count(object, 1);
#endif
}

inline CollectorHead* collector_head(PyObject* object) {
  return reinterpret_cast<CollectorHead*>(object) - 1;
}

#ifndef Py_GIL_DISABLED

// Counts the allocation and shows the object to the collector. True if it is time to call
// schedule_collection(). Requires: the object was started, and is such that tp_traverse may look at
// it.
[[nodiscard, gnu::always_inline]] inline bool show_to_collector(const Collector& collector,
                                                                PyObject* object) {
  YoungObjects* const young = collector.young;
  CollectorHead* const head = collector_head(object);
  const uintptr_t last = young->head.previous;
  reinterpret_cast<CollectorHead*>(last)->next = reinterpret_cast<uintptr_t>(head);
  head->next = reinterpret_cast<uintptr_t>(&young->head);
  head->previous = last;
  young->head.previous = reinterpret_cast<uintptr_t>(head);
  if constexpr (layout::kCollectorCountsTracked) ++*collector.tracked;
  return ++young->count > young->threshold && *collector.is_enabled != 0;
}

// The opposite, when the object goes, whether or not it was taken out of the collector's sight
// before. What is left in its head is not to be looked at any more.
[[gnu::always_inline]] inline void hide_from_collector(const Collector& collector,
                                                       PyObject* object) {
  const CollectorHead* const head = collector_head(object);
  if (head->next != 0) {
    const uintptr_t previous = head->previous;
    auto* const next = reinterpret_cast<CollectorHead*>(head->next);
    if (((previous | next->previous) & kCollectorBits) != 0) [[unlikely]] {
      internal::unlink_with_bits(head);
    } else {
      reinterpret_cast<CollectorHead*>(previous)->next = head->next;
      next->previous = previous;
    }
    if constexpr (layout::kCollectorCountsTracked) --*collector.tracked;
  }
  if (collector.young->count > 0) --collector.young->count;
}

#else

inline bool show_to_collector(const Collector& /*collector*/, PyObject* /*object*/) {
  return false;
}
inline void hide_from_collector(const Collector& /*collector*/, PyObject* /*object*/) {}

#endif

// Has the collector run soon, if it may, as allocating does. Requires: show_to_collector() said so.
void schedule_collection(const Collector& collector);

// Tells tracemalloc, if it is at work, of a block that objects are made of, as of one of CPython's
// own; from then on it notes for each object made there who made it. Without memory it does not.
void trace_block(void* block, size_t size);
void untrace_block(void* block);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_INSTANCE_MEMORY_H_
