// CPython 3.13, free-threaded. See layout.h for the contract.
#ifndef TENURE_CORE_ABI_LAYOUT_PY313T_H_
#define TENURE_CORE_ABI_LAYOUT_PY313T_H_

#include <array>

#include "tenure/core/abi/field.h"

namespace tenure::abi::layout {

// An object has an owner, whose count is not shared with other threads, and a count of all others.
// The owner's tells that the object is immortal; then the others are as in an object of nobody's.
inline constexpr std::array kHead = {
    TENURE_FIELD(PyObject, ob_tid, FieldRole::kCount, _Py_UNOWNED_TID),
    TENURE_FIELD(PyObject, _padding, FieldRole::kPadding, 0),
    TENURE_FIELD(PyObject, ob_mutex, FieldRole::kVolatile, 0),
    TENURE_FIELD(PyObject, ob_gc_bits, FieldRole::kVolatile, 0),
    TENURE_FIELD(PyObject, ob_ref_local, FieldRole::kCount, _Py_IMMORTAL_REFCNT_LOCAL),
    TENURE_FIELD(PyObject, ob_ref_shared, FieldRole::kCount, _Py_REF_SHARED_INIT),
};

inline void set_count(PyObject* object, uint32_t count) {
  object->ob_tid = _Py_ThreadId();
  object->ob_ref_local = count;
  object->ob_ref_shared = _Py_REF_SHARED_INIT;
}

// Of the owner's count, all of it is needed.
inline constexpr uint64_t kImmortalMargin = 0;
inline void add_to_count(PyObject* /*object*/, uint64_t /*more*/) {}

inline constexpr bool kCollectorCountsTracked = false;

inline constexpr bool kDictsStayTracked = false;

// What the collector knows of an object is in its head.
inline constexpr uint16_t kCollectorHeadBytes = 0;
inline bool has_collector_bits(PyObject* object) { return object->ob_gc_bits != 0; }

inline constexpr bool kInternTableIsDict = false;

inline constexpr std::array<Field, 0> kTupleHead = {};

// The collector tracks code objects here, and what makes an image's ready for use relies on nobody
// running meanwhile.
inline constexpr bool kCopiesCode = false;

inline constexpr std::array<Field, 0> kCodeAfterMonitor = {};

}  // namespace tenure::abi::layout

#endif  // TENURE_CORE_ABI_LAYOUT_PY313T_H_
