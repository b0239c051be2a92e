// The interpreter's own objects of which there is exactly one: an image names them, it never holds
// a copy.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_CORE_ABI_SINGLETONS_H_
#define TENURE_CORE_ABI_SINGLETONS_H_

#include <cstdint>
#include <optional>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

// Written into images: a number never changes its meaning, new ones are added at the end.
enum class WellKnown : uint32_t {
  kNothing = 0,
  kStrType = 1,
  kBytesType = 2,
  kIntType = 3,
  kFloatType = 4,
  kComplexType = 5,
  kTupleType = 6,
  kCodeType = 7,
  kBoolType = 8,
  kFrozenSetType = 9,
  kSliceType = 10,
  kNone = 11,
  kTrue = 12,
  kFalse = 13,
  kEllipsis = 14,
  kNotImplemented = 15,
  kEmptyTuple = 16,
  kEmptyBytes = 17,
  kEmptyStr = 18,
};
inline constexpr uint32_t kWellKnownEnd = 19;

// Borrowed; null for a number that is unknown. The object is immortal.
PyObject* well_known(WellKnown id);

struct Singleton {
  enum class Kind : uint8_t {
    kWellKnown,  // value: WellKnown
    kSmallInt,   // value: the int
    kLatin1,     // value: the character
    kByte,       // value: the byte
    kStatic,     // a str in the interpreter's binary; value unused
  };
  Kind kind;
  int64_t value;
};

// What `object` is, if it is a singleton of this interpreter. Borrows.
std::optional<Singleton> singleton_of(PyObject* object);

// The object that a singleton other than kStatic stands for: borrowed and immortal, or null
// without a Python error if this interpreter keeps no singleton of that value, or with one if
// memory ran out.
PyObject* resolve(const Singleton& singleton);

// True if the object lies in the interpreter's binary, so that its address is the same in every
// process that runs the same build at the same load bias.
bool is_in_binary(const void* object);

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_SINGLETONS_H_
