// One field of a CPython object, as data. See shape.h.
#ifndef TENURE_CORE_ABI_FIELD_H_
#define TENURE_CORE_ABI_FIELD_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

enum class FieldRole : uint8_t {
  kCount,      // the reference count
  kType,       // ob_type
  kReference,  // a strong reference, possibly null
  kLabel,      // the same, to a str that is shown to people and never looked anything up by
  kLocals,     // the same, to a tuple of names, of which only the arguments' are looked up by
  kPlain,      // a value that is copied
  kFlags,      // a value of which the bits of `keep` are copied and those of `reset` are set
  kHash,       // a cached hash: depends on the process, or is filled in late
  kVolatile,   // a cache or a link into the process: reset, never copied
  kVersion,    // a code object's version: every copy needs a number of its own
  kPadding,    // no meaning: zero, so that equal objects are equal bytes
};

inline constexpr bool is_reference(FieldRole role) {
  return role == FieldRole::kReference || role == FieldRole::kLabel || role == FieldRole::kLocals;
}

struct Field {
  uint16_t offset;
  uint16_t bytes;
  FieldRole role;
  uint64_t reset;  // kHash, kVolatile, kFlags: see FieldRole
  uint64_t keep;   // kFlags only
  const char* name;
};

// What the interpreter stores for a hash that it has not computed.
inline constexpr uint64_t kUnknownHash = ~uint64_t{0};

#define TENURE_FIELD(type, member, role, reset)                                            \
  ::tenure::abi::Field {                                                                   \
    static_cast<uint16_t>(offsetof(type, member)),                                         \
        static_cast<uint16_t>(sizeof(decltype(type::member))), (role), (reset), 0, #member \
  }

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_FIELD_H_
