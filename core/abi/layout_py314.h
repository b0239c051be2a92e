// CPython 3.14. See layout.h for the contract.
#ifndef TENURE_CORE_ABI_LAYOUT_PY314_H_
#define TENURE_CORE_ABI_LAYOUT_PY314_H_

#include <array>

#include "tenure/core/abi/field.h"
#include "tenure/core/abi/layout_gil.h"

namespace tenure::abi::layout {

// At or above this INCREF writes nothing. The interpreter's own stack goes by a flag instead, in
// the highest two bytes, and without looking at the count. Not that of static objects, which carry
// a second flag by which the interpreter knows what lies in its own binary.
inline constexpr uint64_t kImmortalCount = static_cast<uint64_t>(_Py_IMMORTAL_INITIAL_REFCNT) |
                                           static_cast<uint64_t>(_Py_IMMORTAL_FLAGS) << 48;

inline constexpr auto kHead = counted_head(kImmortalCount);

// A quarter of what is left up to the counts that debug builds take for those of freed objects.
inline constexpr uint64_t kImmortalMargin = uint64_t{1} << 28;

inline constexpr bool kCollectorCountsTracked = true;

inline constexpr bool kDictsStayTracked = false;

inline constexpr bool kInternTableIsDict = true;

inline constexpr std::array kTupleHead = {
    TENURE_FIELD(PyTupleObject, ob_hash, FieldRole::kHash, kUnknownHash),
};

inline constexpr std::array kCodeAfterMonitor = {
    // Only the free-threaded build gives it a meaning; the other leaves it as allocated.
    TENURE_FIELD(PyCodeObject, _co_unique_id, FieldRole::kVolatile, 0),
};

}  // namespace tenure::abi::layout

#endif  // TENURE_CORE_ABI_LAYOUT_PY314_H_
