// Int: views of Python's int, and C++ integers out of it and into it.
//
//   Result<uint16_t> port = number.to<uint16_t>();       // of what is an int
//   Result<uint16_t> port = Int::index<uint16_t>(object);  // of what counts as one, as in range(x)
//
// Nothing is cut off: what does not fit is an OverflowError that names the range.
//
// Not for: arithmetic. Convert, calculate, make the answer.
//
// Thread safety: attached for everything. An int never changes.
#ifndef TENURE_HANDLES_INT_H_
#define TENURE_HANDLES_INT_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "tenure/handles/object.h"

namespace tenure {

// The integers of C++ of any width; neither bool nor characters, whose numbers mean something else.
template <typename I>
concept Integer =
    std::integral<I> && sizeof(I) <= sizeof(int64_t) && !std::same_as<I, bool> &&
    !std::same_as<I, char> && !std::same_as<I, wchar_t> && !std::same_as<I, char8_t> &&
    !std::same_as<I, char16_t> && !std::same_as<I, char32_t>;

// How a number becomes bytes: with a sign (two's complement), or without one.
enum class Signedness : unsigned char { kUnsigned, kSigned };

namespace internal {

// The value, if it is within the range; else an OverflowError. Requires: an int.
Result<int64_t> int_to_signed(PyObject* object, int bits);
Result<uint64_t> int_to_unsigned(PyObject* object, int bits);

// Sets the OverflowError, which shows the number unless it is a long one. Requires: an int.
Failed fail_int_range(PyObject* object, int bits, Signedness signedness);

}  // namespace internal

class Int : public Object {
 public:
  static constexpr const char* kName = "int";
  // True for bools too: they are ints.
  static bool check(PyObject* object) { return PyLong_Check(object); }

  // New reference, or MemoryError.
  template <Integer I>
  static Result<Int> make(I value) {
    if constexpr (std::is_signed_v<I>) {
      if constexpr (sizeof(I) <= sizeof(long)) return PyLong_FromLong(value);
      return PyLong_FromLongLong(value);
    } else {
      if constexpr (sizeof(I) < sizeof(long)) return PyLong_FromLong(static_cast<long>(value));
      if constexpr (sizeof(I) == sizeof(long)) return PyLong_FromUnsignedLong(value);
      return PyLong_FromUnsignedLongLong(value);
    }
  }

  // New reference. Any number of bytes; none are 0.
  static Result<Int> from_bytes(std::span<const std::byte> bytes, std::endian order,
                                Signedness signedness);

  // OverflowError if it does not fit. Runs no Python code.
  template <Integer I>
  Result<I> to() const {
    auto* number = reinterpret_cast<PyLongObject*>(get());
    if (PyUnstable_Long_IsCompact(number)) [[likely]] {
      const Py_ssize_t value = PyUnstable_Long_CompactValue(number);
      // For 64 bits it always fits or only the sign is asked for, and the compiler knows.
      if constexpr (std::is_signed_v<I> && sizeof(I) >= sizeof(Py_ssize_t)) return I{value};
      if (value == static_cast<Py_ssize_t>(static_cast<I>(value)) &&
          (std::is_signed_v<I> || value >= 0)) [[likely]] {
        return static_cast<I>(value);
      }
    }
    return to_slowly<I>();
  }

  // All of the number into all of the bytes, padded. OverflowError if there are too few of them, or
  // if it is negative and they are unsigned; the bytes then hold anything. Runs no Python code.
  Result<void> to_bytes(std::span<std::byte> bytes, std::endian order, Signedness signedness) const;

  // How many bytes are enough for to_bytes(), with a sign or without. Not always the fewest.
  [[nodiscard]] size_t enough_bytes() const;

  // What `object` is as an index: an int, or what its __index__ answers. TypeError for all others,
  // floats among them. May run Python code.
  template <Integer I>
  static Result<I> index(const Object& object) {
    if (check(object.get())) [[likely]]
      return Int(object.get()).template to<I>();
    return index_slowly<I>(object);
  }
  // New reference: an exact int.
  static Result<Int> index(const Object& object) { return PyNumber_Index(object.get()); }

  // What int(object) answers: floats are cut off, strs are read.
  static Result<Int> convert(const Object& object) { return PyNumber_Long(object.get()); }

 protected:
  using Object::Object;
  Int(const Int&) = default;
  Int& operator=(const Int&) = default;

 private:
  template <Integer I>
  [[gnu::noinline]] Result<I> to_slowly() const {
    if constexpr (std::is_signed_v<I>) {
      const Result<int64_t> wide = internal::int_to_signed(get(), 8 * sizeof(I));
      if (!wide) return Failed{};
      return static_cast<I>(*wide);
    } else {
      const Result<uint64_t> wide = internal::int_to_unsigned(get(), 8 * sizeof(I));
      if (!wide) return Failed{};
      return static_cast<I>(*wide);
    }
  }

  template <Integer I>
  [[gnu::noinline]] static Result<I> index_slowly(const Object& object) {
    const Result<Int> number = index(object);
    if (!number) return Failed{};
    return Int(number.get()).template to<I>();
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_INT_H_
