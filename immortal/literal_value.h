// What a literal says: the values that literal.h makes objects of.
//
// They are constants of the compiler's only: nothing of them is in the program. Each is checked
// when it is written; what is wrong with one is the name of the function that the compiler
// complains of.
//
// Not for: using directly; include literal.h.
//
// Thread safety: constant expressions.
#ifndef TENURE_IMMORTAL_LITERAL_VALUE_H_
#define TENURE_IMMORTAL_LITERAL_VALUE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tenure/core/abi/literal_layout.h"

namespace tenure::literal {
namespace internal {

// None is defined: that a constant expression calls one is the compiler's message.
void the_text_is_not_utf8();
void the_array_does_not_end_with_a_0();
void a_special_name_is_a_literal_Name();
void the_int_has_no_digits();
void a_character_is_not_a_digit_of_the_int();

enum class Kind : uint8_t { kStr, kBytes, kInt, kFloat, kComplex, kBool, kNone, kEllipsis, kTuple };

// The code point that begins at `at`, which goes on to the next one.
consteval uint32_t take_code_point(std::string_view utf8, size_t& at) {
  constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  const auto next = [&]() -> uint32_t {
    if (at >= utf8.size()) the_text_is_not_utf8();
    return static_cast<unsigned char>(utf8[at++]);
  };
  const uint32_t first = next();
  if (first < 0x80) return first;
  if (first < 0xc0 || first >= 0xf8) the_text_is_not_utf8();
  const unsigned more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  uint32_t point = first & (0x3fU >> more);
  for (unsigned i = 0; i < more; ++i) {
    const uint32_t byte = next();
    if ((byte & 0xc0) != 0x80) the_text_is_not_utf8();
    point = point << 6 | (byte & 0x3f);
  }
  const bool is_surrogate = point >= 0xd800 && point < 0xe000;
  if (point < kSmallest[more] || point > 0x10ffff || is_surrogate) the_text_is_not_utf8();
  return point;
}

// What decides how a str is kept.
struct Form {
  size_t length = 0;     // in code points
  uint32_t largest = 0;  // of its code points
};

consteval Form form_of(std::string_view utf8) {
  Form form;
  for (size_t at = 0; at < utf8.size(); ++form.length) {
    const uint32_t point = take_code_point(utf8, at);
    if (point > form.largest) form.largest = point;
  }
  return form;
}

template <size_t kSize, typename Char>
consteval void copy_array(const Char (&from)[kSize], char (&to)[kSize]) {
  if (from[kSize - 1] != 0) the_array_does_not_end_with_a_0();
  for (size_t i = 0; i < kSize; ++i) to[i] = static_cast<char>(from[i]);
}

template <typename Char>
concept Utf8Unit = std::same_as<Char, char> || std::same_as<Char, char8_t>;

// With a 0 at the end. Hidden: so is then the UTF-8 that objects refer to.
template <size_t kSize>
struct [[gnu::visibility("hidden")]] Str {
  static constexpr Kind kKind = Kind::kStr;
  char utf8[kSize];

  template <Utf8Unit Char>
  consteval Str(const Char (&text)[kSize]) : utf8{} {  // NOLINT(google-explicit-constructor)
    copy_array(text, utf8);
    form_of(view());
  }
  constexpr std::string_view view() const { return {utf8, kSize - 1}; }
};

// With a 0 at the end.
template <size_t kSize>
struct Bytes {
  static constexpr Kind kKind = Kind::kBytes;
  char content[kSize];
};

// The magnitude has `count` digits of abi::kBitsOfDigit bits, the lowest first.
template <size_t kCapacity>
struct Int {
  static constexpr Kind kKind = Kind::kInt;
  bool is_negative = false;
  size_t count = 0;
  uint32_t digits[kCapacity] = {};

  static constexpr uint32_t kMask = (uint32_t{1} << abi::kBitsOfDigit) - 1;

  // Multiplies the magnitude and adds to it.
  consteval void take(uint32_t factor, uint32_t summand) {
    uint64_t carry = summand;
    for (size_t i = 0; i < count; ++i) {
      carry += uint64_t{digits[i]} * factor;
      digits[i] = carry & kMask;
      carry >>= abi::kBitsOfDigit;
    }
    for (; carry != 0; carry >>= abi::kBitsOfDigit) digits[count++] = carry & kMask;
  }

  // Puts bits above all that are there. `count` is not kept.
  consteval void put(uint64_t bits, size_t position) {
    const size_t index = position / abi::kBitsOfDigit;
    bits <<= position % abi::kBitsOfDigit;
    digits[index] |= bits & kMask;
    if (bits > kMask) digits[index + 1] = bits >> abi::kBitsOfDigit;
  }
};

struct Float {
  static constexpr Kind kKind = Kind::kFloat;
  double value;
};

struct Complex {
  static constexpr Kind kKind = Kind::kComplex;
  double real, imaginary;
};

struct Bool {
  static constexpr Kind kKind = Kind::kBool;
  bool value;
};

struct None {
  static constexpr Kind kKind = Kind::kNone;
};

struct Ellipsis {
  static constexpr Kind kKind = Kind::kEllipsis;
};

template <auto... kItems>
struct Tuple {
  static constexpr Kind kKind = Kind::kTuple;
};

template <typename T>
concept Value = requires {
  { T::kKind } -> std::convertible_to<Kind>;
};

template <typename T>
concept Integral = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                   !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                   !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

consteval uint32_t digit_of(char character, uint32_t base) {
  uint32_t digit = base;
  if (character >= '0' && character <= '9') digit = static_cast<uint32_t>(character - '0');
  if (character >= 'a' && character <= 'f') digit = static_cast<uint32_t>(character - 'a') + 10;
  if (character >= 'A' && character <= 'F') digit = static_cast<uint32_t>(character - 'A') + 10;
  if (digit >= base) a_character_is_not_a_digit_of_the_int();
  return digit;
}

// Takes "0x" and the like away.
consteval uint32_t take_base(std::string_view& text) {
  if (text.size() < 2 || text[0] != '0') return 10;
  const char letter = text[1];
  const uint32_t base = letter == 'x' || letter == 'X'   ? 16
                        : letter == 'o' || letter == 'O' ? 8
                        : letter == 'b' || letter == 'B' ? 2
                                                         : 10;
  if (base != 10) text.remove_prefix(2);
  return base;
}

// Whether an underscore between two digits stands there.
consteval bool is_separator(std::string_view text, size_t at) {
  return text[at] == '_' && at > 0 && text[at - 1] != '_' && at + 1 < text.size();
}

// As many digits at a time as fit into one of the int's.
template <size_t kCapacity>
consteval void read_decimal(std::string_view text, Int<kCapacity>& number) {
  constexpr uint32_t kLimit = uint32_t{1} << (abi::kBitsOfDigit - 4);
  uint32_t factor = 1;
  uint32_t sum = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_separator(text, i)) continue;
    sum = sum * 10 + digit_of(text[i], 10);
    factor *= 10;
    if (factor < kLimit) continue;
    number.take(factor, sum);
    factor = 1;
    sum = 0;
  }
  number.take(factor, sum);
}

// From the right to the left, so that it takes no longer than it must.
template <size_t kCapacity>
consteval void read_bits(std::string_view text, uint32_t base, Int<kCapacity>& number) {
  size_t position = 0;
  for (size_t i = text.size(); i-- > 0;) {
    if (is_separator(text, i)) continue;
    number.put(digit_of(text[i], base), position);
    position += base == 16 ? 4 : base == 8 ? 3 : 1;
  }
  number.count = kCapacity;
  while (number.count > 0 && number.digits[number.count - 1] == 0) --number.count;
}

}  // namespace internal

// --- What literals are made of: the arguments of object<>() and the items of tuple<> ---

// A str of that UTF-8: "grüß dich", u8"…", with zeros in it if you like. Not of the form of
// "__init__", which names a special method: a type learns of a new one by its interned name only,
// so that has to be a Name.
template <internal::Utf8Unit Char, size_t kSize>
consteval internal::Str<kSize> str(const Char (&utf8)[kSize]) {
  const internal::Str<kSize> text(utf8);
  const std::string_view view = text.view();
  if (view.size() > 4 && view.starts_with("__") && view.ends_with("__")) {
    internal::a_special_name_is_a_literal_Name();
  }
  return text;
}

// A bytes of what is in the array before the 0 that ends it.
template <size_t kSize>
consteval internal::Bytes<kSize> bytes(const char (&content)[kSize]) {
  internal::Bytes<kSize> made{};
  internal::copy_array(content, made.content);
  return made;
}

// An int. Of characters, which could be meant as one or as a str, none is made.
template <internal::Integral T>
consteval auto integer(T value) {
  internal::Int<sizeof(T) * 8 / abi::kBitsOfDigit + 1> number;
  number.is_negative = value < 0;
  auto left = static_cast<uint64_t>(value);
  if (number.is_negative) left = 0 - left;
  for (; left != 0; left >>= abi::kBitsOfDigit) {
    number.digits[number.count++] = left & number.kMask;
  }
  return number;
}

// An int of any size, as Python's int(text, 0) reads it: "-1_000", "0xffff_ffff"; but zeros may
// stand before a decimal one.
template <size_t kSize>
consteval auto integer(const char (&text)[kSize]) {
  // A character is worth four bits at most.
  internal::Int<kSize * 4 / abi::kBitsOfDigit + 1> number;
  char copy[kSize] = {};
  internal::copy_array(text, copy);
  std::string_view left(copy, kSize - 1);
  const bool has_sign = !left.empty() && (left[0] == '-' || left[0] == '+');
  const bool is_minus = has_sign && left[0] == '-';
  if (has_sign) left.remove_prefix(1);
  const uint32_t base = internal::take_base(left);
  if (left.empty()) internal::the_int_has_no_digits();
  if (base == 10) {
    internal::read_decimal(left, number);
  } else {
    internal::read_bits(left, base, number);
  }
  number.is_negative = is_minus && number.count != 0;
  return number;
}

// A float; every double is one, infinities and NaNs among them.
consteval internal::Float floating(double value) { return {value}; }

// A complex.
consteval internal::Complex complex(double real, double imaginary) { return {real, imaginary}; }

// The interpreter's own; what they are good for is being items.
inline constexpr internal::None none{};
inline constexpr internal::Ellipsis ellipsis{};
consteval internal::Bool boolean(bool value) { return {value}; }

// A tuple of literals: tuple<str("a"), tuple<1, 2.5, true>>. Integers, doubles and bools need
// nothing around them.
template <auto... kItems>
inline constexpr internal::Tuple<kItems...> tuple{};

}  // namespace tenure::literal

#endif  // TENURE_IMMORTAL_LITERAL_VALUE_H_
