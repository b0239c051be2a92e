// CPython 3.13. See layout.h for the contract.
#ifndef TENURE_CORE_ABI_LAYOUT_PY313_H_
#define TENURE_CORE_ABI_LAYOUT_PY313_H_

#include <array>

#include "tenure/core/abi/field.h"
#include "tenure/core/abi/layout_gil.h"

namespace tenure::abi::layout {

// All 32 low bits set: the one value that INCREF leaves alone.
inline constexpr uint64_t kImmortalCount = static_cast<uint64_t>(_Py_IMMORTAL_REFCNT);

inline constexpr auto kHead = counted_head(kImmortalCount);

// All of it is needed: with any other count INCREF writes.
inline constexpr uint64_t kImmortalMargin = 0;

inline constexpr bool kCollectorCountsTracked = false;

inline constexpr bool kDictsStayTracked = false;

inline constexpr bool kInternTableIsDict = false;

inline constexpr std::array<Field, 0> kTupleHead = {};

inline constexpr std::array<Field, 0> kCodeAfterMonitor = {};

}  // namespace tenure::abi::layout

#endif  // TENURE_CORE_ABI_LAYOUT_PY313_H_
