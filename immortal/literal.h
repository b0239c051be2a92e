// Immortal Python objects that the compiler makes: there when the program is, and for good.
//
//   PyObject* greeting = literal::object<literal::str("grüß dich")>();
//   PyObject* limits = literal::object<literal::tuple<literal::str("rows"), 1'000, 0.5>>();
//   PyObject* append = literal::Name<"append">::get();
//
// Using one is taking an address: nothing is allocated, parsed, counted or given back. An object is
// in the program once, however often and in however many files it is written, and all interpreters
// of a process share it. docs/literals.md says where each lands.
//
// Not for: tables of thousands; in a shared object each literal is an entry of work for the dynamic
// linker and a private copy of what it lies in (docs/images.md). Names of attributes: those are
// Names. What has to be `is`-identical to another object of that value: an equal str, int or tuple
// made elsewhere is another object, as ever.
//
// Thread safety: object<>() on any thread, but for the values of which the interpreter keeps one
// object: attached. Name: on any thread.
#ifndef TENURE_IMMORTAL_LITERAL_H_
#define TENURE_IMMORTAL_LITERAL_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tenure/core/names.h"
#include "tenure/immortal/literal_value.h"

namespace tenure::literal {
namespace internal {

// The value that an argument or item stands for, in the one way in which it is written down.
template <auto kItem>
consteval auto value_of() {
  using T = std::remove_cv_t<decltype(kItem)>;
  if constexpr (std::same_as<T, bool>) {
    return Bool{kItem};
  } else if constexpr (Integral<T>) {
    return value_of<integer(kItem)>();
  } else if constexpr (std::same_as<T, double> || std::same_as<T, float>) {
    return Float{kItem};
  } else if constexpr (!Value<T>) {
    static_assert(Value<T>,
                  "a literal is a literal::str(), bytes(), integer(), floating(), complex(), "
                  "tuple<>, boolean(), none or ellipsis, or an integer, double or bool");
  } else if constexpr (T::kKind == Kind::kInt) {
    Int<kItem.count == 0 ? 1 : kItem.count> number;
    number.is_negative = kItem.is_negative;
    number.count = kItem.count;
    for (size_t i = 0; i < kItem.count; ++i) number.digits[i] = kItem.digits[i];
    return number;
  } else {
    return kItem;
  }
}

template <auto kValue>
constexpr PyObject* address();

template <auto... kItems>
consteval auto make_tuple(const Tuple<kItems...>&) {
  return abi::TupleLiteral<sizeof...(kItems)>(address<value_of<kItems>()>()...);
}

template <typename Literal>
consteval Literal with_text(Literal literal, std::string_view utf8) {
  size_t at = 0;
  for (size_t i = 0; at < utf8.size(); ++i) {
    const uint32_t point = take_code_point(utf8, at);
    literal.text[i] = static_cast<std::remove_reference_t<decltype(literal.text[i])>>(point);
  }
  return literal;
}

template <auto kValue>
consteval auto make() {
  constexpr Kind kKind = decltype(kValue)::kKind;
  if constexpr (kKind == Kind::kStr) {
    constexpr std::string_view kText = kValue.view();
    constexpr Form kForm = form_of(kText);
    using Unit = std::conditional_t <
                 kForm.largest<0x100, Py_UCS1,
                               std::conditional_t<(kForm.largest < 0x10000), Py_UCS2, Py_UCS4>>;
    if constexpr (kForm.largest < 0x80) {
      return with_text(abi::AsciiLiteral<kForm.length>(), kText);
    } else {
      using Literal = abi::CompactLiteral<Unit, kForm.length>;
      return with_text(Literal(kText.data(), kText.size()), kText);
    }
  } else if constexpr (kKind == Kind::kBytes) {
    constexpr size_t kLength = sizeof(kValue.content) - 1;
    abi::BytesLiteral<kLength> made;
    for (size_t i = 0; i < kLength; ++i) made.content[i] = kValue.content[i];
    return made;
  } else if constexpr (kKind == Kind::kInt) {
    abi::IntLiteral<kValue.count> made(kValue.count == 0 ? 0 : kValue.is_negative ? -1 : 1);
    for (size_t i = 0; i < kValue.count; ++i) made.digits[i] = kValue.digits[i];
    return made;
  } else if constexpr (kKind == Kind::kFloat) {
    return abi::FloatLiteral(kValue.value);
  } else if constexpr (kKind == Kind::kComplex) {
    return abi::ComplexLiteral(kValue.real, kValue.imaginary);
  } else {
    return make_tuple(kValue);
  }
}

// Whether the interpreter writes to it: hashes, which it computes when they are asked for.
template <auto kValue>
inline constexpr bool kIsWritten =
    decltype(kValue)::kKind == Kind::kStr || decltype(kValue)::kKind == Kind::kBytes ||
    (decltype(kValue)::kKind == Kind::kTuple && abi::kTupleIsWritten);

// Hidden: each shared object has literals of its own, found without asking the dynamic linker.
// Aligned as said: a compiler that may choose leaves gaps, and a program would write to more pages.
template <auto kValue>
[[gnu::visibility("hidden")]] alignas(PyObject) inline constinit auto written = make<kValue>();
template <auto kValue>
[[gnu::visibility("hidden")]] alignas(PyObject) inline constexpr auto constant = make<kValue>();

template <auto kValue>
constexpr PyObject* address() {
  constexpr Kind kKind = decltype(kValue)::kKind;
  if constexpr (kKind == Kind::kNone) {
    return Py_None;
  } else if constexpr (kKind == Kind::kEllipsis) {
    return Py_Ellipsis;
  } else if constexpr (kKind == Kind::kBool) {
    return abi::literal_bool(kValue.value);
  } else if constexpr (kIsWritten<kValue>) {
    return written<kValue>.object();
  } else {
    // Python's C API knows no constants. Nobody writes to this one.
    return const_cast<PyObject*>(constant<kValue>.object());
  }
}

template <auto kValue>
consteval int64_t small_value() {
  if (kValue.count > 1) return INT64_MAX;
  const auto magnitude = int64_t{kValue.digits[0]};
  return kValue.is_negative ? -magnitude : magnitude;
}

// Whether the interpreter has one object of that value, which everybody uses.
template <auto kValue>
consteval bool is_singleton() {
  constexpr Kind kKind = decltype(kValue)::kKind;
  if constexpr (kKind == Kind::kInt) {
    constexpr int64_t kSmall = small_value<kValue>();
    return kSmall >= abi::kSmallestSmallInt && kSmall <= abi::kLargestSmallInt;
  } else if constexpr (kKind == Kind::kStr) {
    constexpr Form kForm = form_of(kValue.view());
    return kForm.length == 0 || (kForm.length == 1 && kForm.largest < 0x100);
  } else if constexpr (kKind == Kind::kBytes) {
    return sizeof(kValue.content) <= 2;
  } else {
    return std::same_as<std::remove_cv_t<decltype(kValue)>, Tuple<>>;
  }
}

// Asking for it makes nothing and cannot fail. The reference is to what is immortal.
template <auto kValue>
PyObject* singleton() {
  constexpr Kind kKind = decltype(kValue)::kKind;
  if constexpr (kKind == Kind::kInt) {
    return PyLong_FromLong(small_value<kValue>());
  } else if constexpr (kKind == Kind::kTuple) {
    return Py_GetConstantBorrowed(Py_CONSTANT_EMPTY_TUPLE);
  } else if constexpr (kKind == Kind::kStr) {
    constexpr Form kForm = form_of(kValue.view());
    return kForm.length == 0 ? Py_GetConstantBorrowed(Py_CONSTANT_EMPTY_STR)
                             : PyUnicode_FromOrdinal(static_cast<int>(kForm.largest));
  } else {
    return PyBytes_FromStringAndSize(kValue.content, sizeof(kValue.content) - 1);
  }
}

template <Str kText>
[[gnu::visibility("hidden")]] alignas(NameSlot) inline NameSlot name_slot{
    kText.utf8, sizeof(kText.utf8) - 1, address<kText>()};

}  // namespace internal

// The object of a literal. Borrowed, for good; never null.
//
// Where the interpreter keeps one object of a value (an int from -5 to 256, since 3.15 to 1024; a
// str of one Latin-1 character, a bytes of one byte, an empty str, bytes or tuple) the answer is
// that one, and asking is a call that needs an attached thread. Anything else is a constant
// expression. As the item of a tuple, such a value is an object of the tuple's own: equal, but not
// what `is` finds.
template <auto kLiteral>
constexpr PyObject* object() {
  constexpr auto kValue = internal::value_of<kLiteral>();
  if constexpr (internal::is_singleton<kValue>()) {
    return internal::singleton<kValue>();
  } else {
    return internal::address<kValue>();
  }
}

// An interned str, for the names of attributes, methods and keywords: Name<"append">::get().
//
// After prepare_names(), which modules made with handles/bind/module.h call when they are imported,
// it is the interpreter's own in the main interpreter. Before, and in other interpreters until the
// main one has prepared it, it is a str that the compiler made: found equal, if not as fast.
template <internal::Str kText>
struct Name {
  // Borrowed, for good; never null. One load.
  static PyObject* get() { return internal::name_slot<kText>.get(); }
};

}  // namespace tenure::literal

#endif  // TENURE_IMMORTAL_LITERAL_H_
