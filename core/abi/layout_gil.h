// What the layouts of all CPythons with a GIL have in common. See layout.h for the contract.
#ifndef TENURE_CORE_ABI_LAYOUT_GIL_H_
#define TENURE_CORE_ABI_LAYOUT_GIL_H_

#include <array>
#include <cstring>

#include "tenure/core/abi/field.h"

namespace tenure::abi::layout {

// The count shares its first eight bytes with flags on some versions; all of them are the count as
// far as copies are concerned.
constexpr std::array<Field, 1> counted_head(uint64_t immortal_count) {
  return {Field{0, offsetof(PyObject, ob_type), FieldRole::kCount, immortal_count, 0, "ob_refcnt"}};
}

inline void set_count(PyObject* object, uint32_t count) {
  const uint64_t all = count;
  std::memcpy(object, &all, offsetof(PyObject, ob_type));
}

inline void add_to_count(PyObject* object, uint64_t more) {
  uint64_t all;
  std::memcpy(&all, object, sizeof all);
  all += more;
  std::memcpy(object, &all, sizeof all);
}

// _gc_next and _gc_prev; zero in both means that the collector does not know the object.
inline constexpr uint16_t kCollectorHeadBytes = 2 * sizeof(uintptr_t);
inline bool has_collector_bits(PyObject* /*object*/) { return false; }

inline constexpr bool kCopiesCode = true;

}  // namespace tenure::abi::layout

#endif  // TENURE_CORE_ABI_LAYOUT_GIL_H_
