// What objects that the compiler makes look like: aggregates laid out as CPython lays out its own.
//
// Each begins with the head that the headers' own macro gives statically allocated objects:
// immortal on every version and build, so that no reference is ever counted. object() answers the
// address that Python sees. immortal/literal.h says what to put into them.
//
// Every size and offset is checked here against the installed headers, and by
// literal_layout_test.cc against objects of the running interpreter.
//
// Thread safety: constant expressions.
#ifndef TENURE_CORE_ABI_LITERAL_LAYOUT_H_
#define TENURE_CORE_ABI_LITERAL_LAYOUT_H_

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure::abi {

#if PY_VERSION_HEX >= 0x03100000
#error \
    "This CPython is newer than every layout of literals that Tenure knows: look at literal_layout.h."
#elif PY_VERSION_HEX >= 0x030f0000
inline constexpr int64_t kLargestSmallInt = 1024;
#else
inline constexpr int64_t kLargestSmallInt = 256;
#endif

// Of an int from here to kLargestSmallInt the interpreter keeps one object.
inline constexpr int64_t kSmallestSmallInt = -5;

// How many bits of an int's magnitude one of its digits has.
inline constexpr unsigned kBitsOfDigit = PyLong_SHIFT;

// Whether the interpreter writes a tuple's hash into the tuple.
template <typename T>
concept HasCachedHash = requires(T tuple) { tuple.ob_hash; };
inline constexpr bool kTupleIsWritten = HasCachedHash<PyTupleObject>;

constexpr PyObject literal_head(PyTypeObject* type) {
  struct Only {
    PyObject object;
  };
  // The macro ends with a comma.
  const Only only = {PyObject_HEAD_INIT(type)};
  return only.object;
}

constexpr PyVarObject literal_head(PyTypeObject* type, size_t size) {
  PyVarObject head{};
  head.ob_base = literal_head(type);
  head.ob_size = static_cast<Py_ssize_t>(size);
  return head;
}

constexpr PyASCIIObject literal_str_head(size_t length, size_t unit, bool is_ascii) {
  PyASCIIObject head{};
  head.ob_base = literal_head(&PyUnicode_Type);
  head.length = static_cast<Py_ssize_t>(length);
  head.hash = -1;
  // As if interned, though no interpreter's table has it: an interpreter that enters a str into its
  // table takes it for its own, and frees it at exit; debug builds refuse one with the static mark
  // that is not interned.
  head.state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;
  head.state.kind = static_cast<unsigned char>(unit) & 7U;
  head.state.compact = 1;
  head.state.ascii = is_ascii ? 1 : 0;
  head.state.statically_allocated = 1;
  return head;
}

// A str of ASCII only. Written: its hash.
template <size_t kLength>
struct AsciiLiteral {
  PyASCIIObject head;
  char text[kLength + 1];

  constexpr AsciiLiteral() : head(literal_str_head(kLength, 1, true)), text{} {}
  constexpr PyObject* object() { return &head.ob_base; }
};
static_assert(offsetof(AsciiLiteral<1>, text) == sizeof(PyASCIIObject));

// Any other str; Unit is Py_UCS1, Py_UCS2 or Py_UCS4, the smallest in which it can be. Written: its
// hash.
template <typename Unit, size_t kLength>
struct CompactLiteral {
  PyCompactUnicodeObject head;
  Unit text[kLength + 1];

  // `utf8`: the same in UTF-8 with a 0 at its end, of static storage, so that no interpreter makes
  // it; the interpreter only reads it.
  constexpr CompactLiteral(const char* utf8, size_t bytes) : head{}, text{} {
    head._base = literal_str_head(kLength, sizeof(Unit), false);
    head.utf8 = const_cast<char*>(utf8);
    head.utf8_length = static_cast<Py_ssize_t>(bytes);
  }
  constexpr PyObject* object() { return &head._base.ob_base; }
};
using CompactExample = CompactLiteral<Py_UCS4, 1>;
static_assert(offsetof(CompactExample, text) == sizeof(PyCompactUnicodeObject));

// A bytes. Written: its hash.
template <size_t kLength>
struct BytesLiteral {
  PyVarObject head;
  Py_hash_t hash;
  char content[kLength + 1];

  constexpr BytesLiteral() : head(literal_head(&PyBytes_Type, kLength)), hash(-1), content{} {}
  constexpr PyObject* object() { return &head.ob_base; }
};
static_assert(offsetof(BytesLiteral<1>, content) == offsetof(PyBytesObject, ob_sval));

// An int with that many digits; 0 has none, and room for one. Never written.
template <size_t kCount>
struct IntLiteral {
  PyObject head;
  uintptr_t tag;
  digit digits[kCount == 0 ? 1 : kCount];

  // `sign`: below, equal to or above 0.
  constexpr explicit IntLiteral(int sign)
      : head(literal_head(&PyLong_Type)),
        tag(uintptr_t{kCount} << _PyLong_NON_SIZE_BITS | static_cast<uintptr_t>(1 - sign)),
        digits{} {}
  constexpr const PyObject* object() const { return &head; }
};
static_assert(offsetof(IntLiteral<1>, tag) == offsetof(PyLongObject, long_value.lv_tag));
static_assert(offsetof(IntLiteral<1>, digits) == offsetof(PyLongObject, long_value.ob_digit));
static_assert(sizeof(IntLiteral<1>) == sizeof(PyLongObject));

// Never written.
struct FloatLiteral {
  PyFloatObject whole;

  constexpr explicit FloatLiteral(double value) : whole{literal_head(&PyFloat_Type), value} {}
  constexpr const PyObject* object() const { return &whole.ob_base; }
};

// Never written.
struct ComplexLiteral {
  PyComplexObject whole;

  constexpr ComplexLiteral(double real, double imaginary)
      : whole{literal_head(&PyComplex_Type), {real, imaginary}} {}
  constexpr const PyObject* object() const { return &whole.ob_base; }
};

// What stands before an object that the collector could know. All zeros: it does not know it.
#ifdef Py_GIL_DISABLED
struct CollectorHead {};
#else
struct CollectorHead {
  uintptr_t next;
  uintptr_t previous;
};
#endif

// A tuple. Written: its hash, if kTupleIsWritten.
template <size_t kCount>
struct TupleLiteral {
  [[no_unique_address]] CollectorHead collector;
  PyTupleObject first;
  PyObject* others[kCount > 1 ? kCount - 1 : 1];  // of one item or none: unused

  template <std::same_as<PyObject*>... Items>
  constexpr explicit TupleLiteral(Items... items) : collector{}, first{}, others{} {
    PyObject* const all[kCount + 1] = {items..., nullptr};
    first.ob_base = literal_head(&PyTuple_Type, kCount);
    set_hash(first);
    first.ob_item[0] = all[0];
    for (size_t i = 1; i < kCount; ++i) others[i - 1] = all[i];
  }
  constexpr PyObject* object() { return &first.ob_base.ob_base; }
  constexpr const PyObject* object() const { return &first.ob_base.ob_base; }

 private:
  template <typename T>
  static constexpr void set_hash(T& tuple) {
    if constexpr (HasCachedHash<T>) tuple.ob_hash = -1;
  }
};
static_assert(offsetof(TupleLiteral<2>, others) - offsetof(TupleLiteral<2>, first) ==
              offsetof(PyTupleObject, ob_item) + sizeof(PyObject*));

// True or False, as a constant expression, which Py_True is not.
constexpr PyObject* literal_bool(bool value) {
  return value ? &_Py_TrueStruct.ob_base : &_Py_FalseStruct.ob_base;
}

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_LITERAL_LAYOUT_H_
