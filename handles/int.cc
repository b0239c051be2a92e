#include "tenure/handles/int.h"

namespace tenure {
namespace {

// Longer numbers are not shown in error messages; these are of at most 39 digits.
constexpr Py_ssize_t kShownBytes = 16;

int flags(std::endian order, Signedness signedness) {
  return (order == std::endian::little ? Py_ASNATIVEBYTES_LITTLE_ENDIAN
                                       : Py_ASNATIVEBYTES_BIG_ENDIAN) |
         (signedness == Signedness::kUnsigned ? Py_ASNATIVEBYTES_UNSIGNED_BUFFER : 0);
}

// Whether it is below 0. Requires: an int.
bool is_negative(PyObject* object) {
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(object, &overflow);
  return overflow < 0 || (overflow == 0 && value < 0);
}

// How many bytes are enough for the number with a sign. Requires: an int.
Py_ssize_t signed_size(PyObject* object) {
  return PyLong_AsNativeBytes(object, nullptr, 0, flags(std::endian::native, Signedness::kSigned));
}

// 1 shifted by `bits`, minus 1: what an unsigned number of that many bits can be.
unsigned long long ones(int bits) { return ~0ULL >> (64 - bits); }

}  // namespace

namespace internal {

Failed fail_int_range(PyObject* object, int bits, Signedness signedness) {
  // The type's own: a subclass may have a __repr__ of any kind.
  PyObject* digits = signed_size(object) <= kShownBytes
                         ? PyLong_Type.tp_repr(object)
                         : PyUnicode_FromFormat("an int of %zd bytes", signed_size(object));
  if (digits == nullptr) return Failed{};
  const char* article = bits == 8 ? "an" : "a";
  if (signedness == Signedness::kSigned) {
    const long long last = static_cast<long long>(ones(bits - 1));
    PyErr_Format(PyExc_OverflowError,
                 "%U is out of range for %s %d-bit signed integer (%lld to %lld)", digits, article,
                 bits, -last - 1, last);
  } else {
    PyErr_Format(PyExc_OverflowError,
                 "%U is out of range for %s %d-bit unsigned integer (0 to %llu)", digits, article,
                 bits, ones(bits));
  }
  Py_DECREF(digits);
  return Failed{};
}

Result<int64_t> int_to_signed(PyObject* object, int bits) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  const int unused = 64 - bits;
  const auto cut = static_cast<int64_t>(static_cast<uint64_t>(value) << unused) >> unused;
  if (overflow != 0 || cut != value) return fail_int_range(object, bits, Signedness::kSigned);
  return int64_t{value};
}

Result<uint64_t> int_to_unsigned(PyObject* object, int bits) {
  uint64_t value = 0;
  const Py_ssize_t size = PyLong_AsNativeBytes(object, &value, sizeof(value),
                                               flags(std::endian::native, Signedness::kUnsigned));
  if (size > static_cast<Py_ssize_t>(sizeof(value)) || value > ones(bits) || is_negative(object)) {
    return fail_int_range(object, bits, Signedness::kUnsigned);
  }
  return value;
}

}  // namespace internal

Result<Int> Int::from_bytes(std::span<const std::byte> bytes, std::endian order,
                            Signedness signedness) {
  if (bytes.empty()) return make(0);
  return signedness == Signedness::kSigned
             ? PyLong_FromNativeBytes(bytes.data(), bytes.size(), flags(order, signedness))
             : PyLong_FromUnsignedNativeBytes(bytes.data(), bytes.size(), flags(order, signedness));
}

size_t Int::enough_bytes() const { return static_cast<size_t>(signed_size(get())); }

Result<void> Int::to_bytes(std::span<std::byte> bytes, std::endian order,
                           Signedness signedness) const {
  if (signedness == Signedness::kUnsigned && is_negative(get())) {
    PyErr_SetString(PyExc_OverflowError, "can't convert negative int to unsigned");
    return Failed{};
  }
  const auto size = static_cast<Py_ssize_t>(bytes.size());
  if (size == 0 ||
      PyLong_AsNativeBytes(get(), bytes.data(), size, flags(order, signedness)) > size) {
    PyErr_Format(PyExc_OverflowError, "int too big to convert to %zd bytes", size);
    return Failed{};
  }
  return {};
}

}  // namespace tenure
