// Buffer<T, dimensions>: the elements of an array that another object keeps, without a copy.
//
// Of anything with Python's buffer protocol: NumPy arrays, array.array, bytes, memoryview. Type,
// signedness, byte order and number of dimensions are checked once, when it is made.
//
//   Result<double> sum(const Object& array) {
//     Buffer<const double, 2> numbers = TENURE_TRY(Buffer<const double, 2>::from(array));
//     double sum = 0;
//     for (Py_ssize_t i = 0; i < numbers.shape(0); ++i) {
//       for (Py_ssize_t j = 0; j < numbers.shape(1); ++j) sum += numbers(i, j);
//     }
//     return sum;
//   }
//
// Buffer<const T> reads; Buffer<T> writes, and asks for that. Layout::kContiguous accepts only what
// has its elements side by side in C's order, and gives them as a std::span.
//
// T is bool, an integer, float, double, long double, or std::complex of them; char and std::byte
// stand for any type of one byte. An element of bool is the exporter's word that it is 0 or 1.
//
// While it lives, the object keeps the memory where it is: a bytearray cannot grow, an array cannot
// be resized. What is in the memory may change all the same; nothing keeps others from writing.
//
// Not for: structures, half floats, other byte orders, and pointers to rows (suboffsets): these are
// refused. What is to be kept for long; keep the object.
//
// Thread safety: made, moved from and destroyed attached, but reading and writing elements, and
// everything else that does not say otherwise, is done on any thread, attached or not, by as many
// as the data allows.
#ifndef TENURE_HANDLES_BUFFER_H_
#define TENURE_HANDLES_BUFFER_H_

#include <array>
#include <cassert>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>

#include "tenure/core/attach.h"
#include "tenure/handles/object.h"
#include "tenure/handles/raise.h"

namespace tenure {

enum class Layout : uint8_t {
  kStrided,     // anything
  kContiguous,  // side by side, the last index fastest
};

namespace internal {

enum class ElementKind : uint8_t { kOther, kByte, kBool, kSigned, kUnsigned, kFloat, kComplex };

struct ElementType {
  ElementKind kind = ElementKind::kOther;
  uint8_t size = 0;
  bool is_swapped = false;  // in the other byte order

  bool operator==(const ElementType&) const = default;
};

template <typename T>
inline constexpr bool kIsComplex = false;
template <std::floating_point T>
inline constexpr bool kIsComplex<std::complex<T>> = true;

template <typename T, typename... Ts>
concept IsOneOf = (std::same_as<T, Ts> || ...);

// Letters of texts, which buffers tell apart from numbers.
template <typename T>
inline constexpr bool kIsLetter = IsOneOf<T, wchar_t, char8_t, char16_t, char32_t>;

// What a C++ type is called in buffers; kOther if it has no name there.
template <typename T>
consteval ElementType element_type() {
  if constexpr (IsOneOf<T, char, std::byte>) {
    return {ElementKind::kByte, 1};
  } else if constexpr (IsOneOf<T, bool>) {
    return {ElementKind::kBool, sizeof(T)};
  } else if constexpr (std::signed_integral<T> && !kIsLetter<T> && sizeof(T) <= sizeof(int64_t)) {
    return {ElementKind::kSigned, sizeof(T)};
  } else if constexpr (std::unsigned_integral<T> && !kIsLetter<T> && sizeof(T) <= sizeof(int64_t)) {
    return {ElementKind::kUnsigned, sizeof(T)};
  } else if constexpr (IsOneOf<T, float, double, long double>) {
    return {ElementKind::kFloat, sizeof(T)};
  } else if constexpr (kIsComplex<T>) {
    return {ElementKind::kComplex, sizeof(T)};
  } else {
    return {};
  }
}

// The element of a struct-like format, as PEP 3118 has it; null is bytes.
ElementType parse_element(const char* format);

struct BufferRequest {
  ElementType element;
  uint8_t alignment;
  int dimensions;
  bool is_writable;
  Layout layout;
};

// Fills view, shape and strides; strides are in bytes. False, with a Python error set and nothing
// held, if the object's memory is not what is asked for. Requires: attached; shape and strides have
// room for the dimensions.
bool acquire_buffer(PyObject* object, const BufferRequest& request, Py_buffer& view,
                    Py_ssize_t* shape, Py_ssize_t* strides);

}  // namespace internal

template <typename T>
concept BufferElement =
    internal::element_type<std::remove_const_t<T>>().kind != internal::ElementKind::kOther;

template <BufferElement T, int kDimensions = 1, Layout kLayout = Layout::kStrided>
class [[nodiscard]] Buffer {
  static_assert(kDimensions >= 1 && kDimensions <= 32);
  static constexpr bool kIsContiguous = kLayout == Layout::kContiguous;

 public:
  // Requires: attached. Errors: TypeError if the object has no buffer, or one of another type or
  // number of dimensions; BufferError if it is not contiguous or not aligned for T; where it cannot
  // be written to, what the object says, which is a BufferError or a ValueError. May run Python
  // code.
  static Result<Buffer> from(const Object& object);

  // Requires: attached, or other is empty.
  Buffer(Buffer&& other) noexcept
      : data_(other.data_),
        shape_(std::exchange(other.shape_, {})),
        strides_(other.strides_),
        view_(std::exchange(other.view_, {})) {}
  Buffer& operator=(Buffer&& other) noexcept {
    // The old one goes last: releasing it may run code that looks at this.
    Buffer taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(shape_, taken.shape_);
    std::swap(strides_, taken.strides_);
    std::swap(view_, taken.view_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Requires: attached, unless it was moved from. May run Python code.
  ~Buffer() {
    if (view_.obj == nullptr) return;
    assert(is_attached());
    PyBuffer_Release(&view_);
  }

  // How many elements in that direction. Requires: 0 <= dimension < kDimensions.
  [[nodiscard]] Py_ssize_t shape(int dimension) const {
    assert(dimension >= 0 && dimension < kDimensions);
    return shape_[static_cast<size_t>(dimension)];
  }
  // From one element to the next in that direction, in bytes; may be negative or 0. Requires: as
  // shape().
  [[nodiscard]] Py_ssize_t stride(int dimension) const {
    assert(dimension >= 0 && dimension < kDimensions);
    return strides_[static_cast<size_t>(dimension)];
  }
  // How many elements in all.
  [[nodiscard]] Py_ssize_t size() const {
    Py_ssize_t size = 1;
    for (const Py_ssize_t extent : shape_) size *= extent;
    return size;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // The element where all indices are 0. Null or not to be read if there is none.
  [[nodiscard]] T* data() const { return data_; }

  // All elements.
  [[nodiscard]] std::span<T> span() const
    requires kIsContiguous
  {
    return {data_, static_cast<size_t>(size())};
  }

  // Whether there is such an element.
  template <std::integral... Indices>
    requires(sizeof...(Indices) == kDimensions)
  [[nodiscard]] bool contains(Indices... indices) const {
    size_t dimension = 0;
    return ((std::cmp_greater_equal(indices, 0) && std::cmp_less(indices, shape_[dimension++])) &&
            ...);
  }

  // An element. Requires: contains(indices...), which only debug builds check.
  template <std::integral... Indices>
    requires(sizeof...(Indices) == kDimensions)
  [[nodiscard]] T& operator()(Indices... indices) const {
    assert(contains(indices...));
    return *locate(std::index_sequence_for<Indices...>(), static_cast<Py_ssize_t>(indices)...);
  }
  template <std::integral Index>
    requires(kDimensions == 1)
  [[nodiscard]] T& operator[](Index index) const {
    return (*this)(index);
  }

  // A pointer to an element, or an IndexError. Requires: attached.
  template <std::integral... Indices>
    requires(sizeof...(Indices) == kDimensions)
  [[nodiscard]] Result<T*> at(Indices... indices) const {
    if (!contains(indices...)) [[unlikely]]
      return raise_index_error("buffer index out of range");
    return locate(std::index_sequence_for<Indices...>(), static_cast<Py_ssize_t>(indices)...);
  }

  // For loops over one dimension.
  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using value_type = std::remove_const_t<T>;
    using difference_type = Py_ssize_t;

    Iterator() = default;
    T& operator*() const { return *at_; }
    Iterator& operator++() {
      ++index_;
      at_ = step(at_, stride_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    // By index: with a stride of 0 all elements are at one place.
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    friend class Buffer;
    Iterator(T* at, Py_ssize_t stride, Py_ssize_t index)
        : at_(at), stride_(stride), index_(index) {}

    T* at_ = nullptr;
    Py_ssize_t stride_ = 0;
    Py_ssize_t index_ = 0;
  };

  [[nodiscard]] auto begin() const
    requires(kDimensions == 1)
  {
    if constexpr (kIsContiguous) {
      return data_;
    } else {
      return Iterator(data_, strides_[0], 0);
    }
  }
  [[nodiscard]] auto end() const
    requires(kDimensions == 1)
  {
    if constexpr (kIsContiguous) {
      return data_ + shape_[0];
    } else {
      return Iterator(nullptr, 0, shape_[0]);
    }
  }

 private:
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;

  Buffer() = default;

  static T* step(T* from, Py_ssize_t bytes) {
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(from) + bytes);
  }

  template <size_t... kIs>
  T* locate(std::index_sequence<kIs...> /*dimensions*/, auto... indices) const {
    if constexpr (kIsContiguous) {
      Py_ssize_t index = 0;
      ((index = kIs == 0 ? indices : index * shape_[kIs] + indices), ...);
      return data_ + index;
    } else {
      return step(data_, ((indices * strides_[kIs]) + ...));
    }
  }

  T* data_ = nullptr;
  // Ours: those of the view may be inside of it, and it is moved.
  std::array<Py_ssize_t, kDimensions> shape_{};
  std::array<Py_ssize_t, kDimensions> strides_{};
  Py_buffer view_{};  // without an object when moved from
};

template <BufferElement T, int kDimensions, Layout kLayout>
Result<Buffer<T, kDimensions, kLayout>> Buffer<T, kDimensions, kLayout>::from(
    const Object& object) {
  constexpr internal::BufferRequest kRequest = {internal::element_type<std::remove_const_t<T>>(),
                                                alignof(T), kDimensions, !std::is_const_v<T>,
                                                kLayout};
  Buffer buffer;
  if (!internal::acquire_buffer(object.get(), kRequest, buffer.view_, buffer.shape_.data(),
                                buffer.strides_.data())) {
    return Failed{};
  }
  buffer.data_ = static_cast<T*>(buffer.view_.buf);
  return buffer;
}

}  // namespace tenure

#endif  // TENURE_HANDLES_BUFFER_H_
