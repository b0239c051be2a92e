// InstancePool<T>: memory for the instances of a native class, kept when they are dropped and used
// for the next.
//
// A class opts in with one line. One that class_ binds (handles/bind/class.h), where T is the C++
// class:
//
//   template <>
//   struct tenure::ClassTraits<Node> : tenure::DefaultTraits<Node> {
//     using Pool = tenure::pool::InstancePool<Node>;
//   };
//
// One written by hand, where T is the struct of its instances, in its PyType_Spec or PyTypeObject:
//
//   PyType_Slot slots[] = {TENURE_INSTANCE_POOL_SLOTS(PointObject), ...};
//   PyTypeObject point_type = {..., .tp_alloc = InstancePool<PointObject>::tp_alloc,
//                              .tp_free = InstancePool<PointObject>::tp_free};
//
// Instances are what PyType_GenericAlloc() makes: zero but for the head, with a reference to their
// type, and the collector's if the type says so. They are made by tp_alloc and go by tp_free, which
// the type's tp_new and tp_dealloc call as always; none may be made by PyObject_New() or
// PyObject_GC_New(), whose memory is not the pool's.
//
// Classes in Python that derive from the class have memory from CPython's allocator, as have C
// types that derive from it and are larger, types whose instances have items or inline values, and
// everything on free-threaded builds: is_pooled() tells. The memory is mimalloc's and in nobody's
// statistics but ours, except that tracemalloc is told of it.
//
// How much is kept is bounded, and can be chosen:
//
//   template <>
//   struct tenure::pool::PoolLimits<Node> : tenure::pool::DefaultLimits {
//     static constexpr size_t kMostInstances = 100;
//   };
//
// Not for: classes of which few instances are ever made; memory that outlives its instance.
//
// Thread safety: attached. Each interpreter has memory of its own, which its threads share under
// its GIL.
#ifndef TENURE_POOL_INSTANCE_POOL_H_
#define TENURE_POOL_INSTANCE_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tenure/pool/instance_front.h"

namespace tenure::pool {

// What is kept for later at most, for each interpreter: of both bounds the lower one.
struct DefaultLimits {
  static constexpr size_t kMostInstances = 2048;
  static constexpr size_t kMostBytes = size_t{128} << 10;
};
template <typename T>
struct PoolLimits : DefaultLimits {};

// `kSize`: of an instance, sizeof(T) if it is 0. `kKind`: where it is known when it is compiled, a
// little is saved.
template <typename T, size_t kSize = 0, Kind kKind = Kind::kAny>
class [[gnu::visibility("hidden")]] InstancePool {
 public:
  // For handles/bind, where a T is a part of its instance.
  template <size_t kOfInstance, bool kIsCollected>
  using Of = InstancePool<T, kOfInstance, kIsCollected ? Kind::kCollected : Kind::kPlain>;

  // The slots. Null with MemoryError set if there is no memory; then nothing has happened.
  static PyObject* tp_alloc(PyTypeObject* type, Py_ssize_t items) {
    if constexpr (abi::kFreeThreaded) {
      return PyType_GenericAlloc(type, items);
    } else {
      Front* const front = noted_front(type);
      if (front == nullptr || front->is_empty()) [[unlikely]] {
        return alloc_slowly(type, items);
      }
      return finish(*front, front->pop(), type);
    }
  }
  static void tp_free(void* self) {
    auto* const object = static_cast<PyObject*>(self);
    if constexpr (abi::kFreeThreaded) {
      free_slowly(record, object);
    } else {
      Front* const front = noted_front(Py_TYPE(object));
      if (front == nullptr) [[unlikely]] {
        free_slowly(record, object);
        return;
      }
      if (is_collected(*front)) abi::hide_from_collector(front->collector, object);
      front->push(object);
    }
  }

  // The same in steps, for instances that the collector does not see, of which something is made
  // before they become objects: see MemoryOfInstances in handles/bind/instance.h.
  static PyObject* take(PyTypeObject* type) {
    if constexpr (abi::kFreeThreaded) {
      return take_from_elsewhere(type);
    } else {
      Front* const front = noted_front(type);
      if (front == nullptr || front->is_empty()) [[unlikely]] {
        return take_from_elsewhere(type);
      }
      return front->pop();
    }
  }
  static void start(PyObject* memory, PyTypeObject* type) {
    if (abi::may_start_quickly(abi::tracer_place())) [[likely]] {
      abi::start_object_quickly(memory, type);
    } else {
      PyObject_Init(memory, type);
    }
  }
  static void give(PyObject* memory, PyTypeObject* type) {
    if constexpr (abi::kFreeThreaded) {
      PyObject_Free(memory);
    } else {
      Front* const front = noted_front(type);
      if (front == nullptr) [[unlikely]] {
        give_slowly(record, type, memory);
      } else {
        front->push(memory);
      }
    }
  }

  // Whether the memory of a type's instances is the pool's.
  static bool is_pooled(const PyTypeObject* type) { return pool::is_pooled(record, type); }

  // In the current interpreter, of all instances that have to do with T.
  static PoolStatistics statistics() { return statistics_of(&InstancePool<T>::fallbacks); }
  // Gives what is kept in the current interpreter back to its heap, and pages that are free by then
  // to the system. Answers how many bytes were kept.
  static size_t trim() { return pool::trim(&InstancePool<T>::fallbacks); }

 private:
  template <typename, size_t, Kind>
  friend class InstancePool;

  static constexpr size_t size() {
    if constexpr (kSize == 0) {
      static_assert(alignof(T) <= 2 * sizeof(void*), "instances have no memory so aligned");
      return sizeof(T);
    } else {
      return kSize;
    }
  }

  static bool is_collected(const Front& front) {
    if constexpr (kKind == Kind::kAny) {
      return front.collector.young != nullptr;
    } else {
      return kKind == Kind::kCollected;
    }
  }

  // Memory becomes an instance. What is rare is elsewhere and comes last, so that nothing has to be
  // kept for after it.
  [[gnu::always_inline]] static PyObject* finish(const Front& front, PyObject* memory,
                                                 PyTypeObject* type) {
    if (!abi::may_start_quickly(front.tracer)) [[unlikely]] {
      return finish_slowly(front, memory, type);
    }
    clear(memory);
    abi::start_object_quickly(memory, type);
    if (is_collected(front) && abi::show_to_collector(front.collector, memory)) [[unlikely]] {
      return schedule(front, memory);
    }
    return memory;
  }
  static void clear(PyObject* memory) {
    std::memset(reinterpret_cast<char*>(memory) + sizeof(PyObject), 0, size() - sizeof(PyObject));
  }
  [[gnu::noinline, gnu::cold]] static PyObject* finish_slowly(const Front& front, PyObject* memory,
                                                              PyTypeObject* type) {
    clear(memory);
    PyObject_Init(memory, type);
    if (is_collected(front) && abi::show_to_collector(front.collector, memory)) {
      abi::schedule_collection(front.collector);
    }
    return memory;
  }

  [[gnu::noinline]] static PyObject* alloc_slowly(PyTypeObject* type, Py_ssize_t items) {
    Front* front;
    PyObject* memory;
    switch (take_slowly(record, type, front, memory)) {
      case Taken::kMemory:
        return finish(*front, memory, type);
      case Taken::kNotPooled:
        return PyType_GenericAlloc(type, items);
      case Taken::kError:
        break;
    }
    return nullptr;
  }

  [[gnu::noinline]] static PyObject* take_from_elsewhere(PyTypeObject* type) {
    Front* front;
    PyObject* memory = nullptr;
    if (take_slowly(record, type, front, memory) == Taken::kNotPooled) {
      memory = static_cast<PyObject*>(PyObject_Malloc(size()));
      if (memory == nullptr) PyErr_NoMemory();
    }
    return memory;
  }

  // That of InstancePool<T> is for all sizes and kinds.
  static inline constinit std::atomic<uint64_t> fallbacks{0};

  static inline constinit PoolRecord record{
      size(),    kKind,    PoolLimits<T>::kMostInstances, PoolLimits<T>::kMostBytes,
      &tp_alloc, &tp_free, &InstancePool<T>::fallbacks};
};

// trim() for all classes of this module in the current interpreter.
inline size_t trim_all() { return trim(nullptr); }
// And what they all have, but for the fallbacks, which are a class's.
inline PoolStatistics statistics_of_all() { return statistics_of(nullptr); }

}  // namespace tenure::pool

// The slots of a PyType_Spec, for its list of them.
#define TENURE_INSTANCE_POOL_SLOTS(...)                                                           \
  {Py_tp_alloc, reinterpret_cast<void*>(&::tenure::pool::InstancePool<__VA_ARGS__>::tp_alloc)}, { \
    Py_tp_free, reinterpret_cast<void*>(&::tenure::pool::InstancePool<__VA_ARGS__>::tp_free)      \
  }

#endif  // TENURE_POOL_INSTANCE_POOL_H_
