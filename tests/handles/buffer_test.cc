#include "tenure/handles/buffer.h"

#include <algorithm>
#include <complex>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/handles/error.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using internal::element_type;
using internal::ElementKind;
using internal::ElementType;
using internal::parse_element;

template <typename T, int kDimensions = 1>
using Contiguous = Buffer<T, kDimensions, Layout::kContiguous>;

static_assert(!std::is_copy_constructible_v<Buffer<int>> &&
              !std::is_copy_assignable_v<Buffer<int>>);
static_assert(std::is_nothrow_move_constructible_v<Buffer<int>>);
static_assert(std::is_nothrow_move_assignable_v<Buffer<int>>);
static_assert(!std::is_default_constructible_v<Buffer<int>>);
static_assert(std::forward_iterator<Buffer<int>::Iterator>);
static_assert(std::ranges::contiguous_range<Contiguous<int>>);
static_assert(!BufferElement<wchar_t> && !BufferElement<int*> && !BufferElement<std::string>);
static_assert(BufferElement<const double> && BufferElement<std::complex<float>>);

// What from() says is wrong; empty if nothing is.
template <typename B>
std::string refusal(PyObject* object) {
  if (B::from(Borrowed<>(object))) return "";
  return PythonError::take().what();
}

template <typename B>
std::string refusal(const std::string& expression) {
  return refusal<B>(testing::evaluate(expression).get());
}

template <typename B>
B buffer_of(const Strong& object) {
  return B::from(Borrowed<>(object.get())).value_or_throw();
}

Strong doubles(const std::string& shape) {
  return testing::evaluate(
      "memoryview(bytearray(__import__('struct').pack('6d', *range(6)))).cast('B').cast('d', " +
      shape + ")");
}

TEST(Buffer, ReadsOneDimension) {
  const Strong object = doubles("(6,)");
  const auto numbers = buffer_of<Buffer<const double>>(object);
  EXPECT_EQ(numbers.shape(0), 6);
  EXPECT_EQ(numbers.stride(0), 8);
  EXPECT_EQ(numbers.size(), 6);
  EXPECT_FALSE(numbers.empty());
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(numbers(i), i);
    EXPECT_EQ(numbers[i], i);
  }
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0.0), 15);
}

TEST(Buffer, ReadsSeveralDimensions) {
  const auto numbers = buffer_of<Buffer<const double, 2>>(doubles("(2, 3)"));
  EXPECT_EQ(numbers.shape(0), 2);
  EXPECT_EQ(numbers.shape(1), 3);
  EXPECT_EQ(numbers.stride(0), 24);
  EXPECT_EQ(numbers(1, 0), 3);
  EXPECT_EQ(numbers(1U, 2L), 5);
  const auto cube = buffer_of<Contiguous<const double, 3>>(doubles("(1, 2, 3)"));
  EXPECT_EQ(cube(0, 1, 1), 4);
  EXPECT_EQ(cube.span().size(), 6U);
  EXPECT_EQ(cube.span().back(), 5);
}

TEST(Buffer, Writes) {
  const Strong bytes = testing::evaluate("bytearray(b'abc')");
  {
    const auto letters = buffer_of<Contiguous<uint8_t>>(bytes);
    letters(1) = 'x';
    for (uint8_t& letter : letters) letter = static_cast<uint8_t>(letter + 1);
    std::ranges::reverse(letters.span());
  }
  EXPECT_EQ(testing::repr(bytes.get()), "bytearray(b'dyb')");
}

TEST(Buffer, WritesOnlyWhereItMay) {
  EXPECT_EQ(refusal<Buffer<const uint8_t>>("b'abc'"), "");
  EXPECT_EQ(refusal<Buffer<uint8_t>>("b'abc'"), "BufferError: Object is not writable.");
  EXPECT_NE(refusal<Buffer<uint8_t>>("memoryview(b'abc')"), "");
}

TEST(Buffer, HoldsTheMemoryWhileItLives) {
  const Strong bytes = testing::evaluate("bytearray(b'abc')");
  const Py_ssize_t before = Py_REFCNT(bytes.get());
  {
    auto first = buffer_of<Buffer<const uint8_t>>(bytes);
    auto second = std::move(first);
    auto third = buffer_of<Buffer<const uint8_t>>(testing::evaluate("b'xyz'"));
    third = std::move(second);
    EXPECT_EQ(third[0], 'a');
    EXPECT_FALSE(Strong(PyObject_CallMethod(bytes.get(), "pop", nullptr)));
    EXPECT_EQ(testing::take_error(), "BufferError");
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that it holds nothing
    Buffer<const uint8_t>& same = third;
    third = std::move(same);
    EXPECT_EQ(third[2], 'c');
  }
  EXPECT_TRUE(Strong(PyObject_CallMethod(bytes.get(), "pop", nullptr)));
  EXPECT_EQ(Py_REFCNT(bytes.get()), before);
}

TEST(Buffer, WalksInStrides) {
  const Strong every_second = testing::evaluate("memoryview(bytearray(b'abcdef'))[::2]");
  const auto letters = buffer_of<Buffer<const char>>(every_second);
  EXPECT_EQ(letters.stride(0), 2);
  EXPECT_EQ(std::string(letters.begin(), letters.end()), "ace");
  const auto backwards =
      buffer_of<Buffer<const char>>(testing::evaluate("memoryview(b'abcdef')[::-1]"));
  EXPECT_EQ(std::string(backwards.begin(), backwards.end()), "fedcba");
  EXPECT_EQ(backwards(1), 'e');
  EXPECT_EQ(refusal<Contiguous<const char>>(every_second.get()),
            "BufferError: expected a C-contiguous buffer");
  EXPECT_EQ(refusal<Contiguous<const char>>("memoryview(b'abcdef')[::6]"), "")
      << "one element has no next";
}

TEST(Buffer, MayBeEmpty) {
  const auto none = buffer_of<Buffer<const uint8_t>>(testing::evaluate("b''"));
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
  const auto span = buffer_of<Contiguous<const uint8_t>>(testing::evaluate("b''"));
  EXPECT_TRUE(span.span().empty());
}

TEST(Buffer, ChecksIndicesWhereAsked) {
  const auto numbers = buffer_of<Buffer<const double, 2>>(doubles("(2, 3)"));
  EXPECT_EQ(**numbers.at(1, 2), 5);
  EXPECT_TRUE(numbers.contains(0, 0));
  EXPECT_FALSE(numbers.contains(2, 0));
  EXPECT_FALSE(numbers.contains(0, 3));
  EXPECT_FALSE(numbers.contains(-1, 0));
  EXPECT_FALSE(numbers.contains(SIZE_MAX, 0));
  EXPECT_FALSE(numbers.at(0, -1));
  EXPECT_EQ(testing::take_error(), "IndexError");
}

TEST(Buffer, IsReadDetached) {
  const auto numbers = buffer_of<Buffer<const double>>(doubles("(6,)"));
  double sum = 0;
  testing::on_another_thread([&] {
    EXPECT_FALSE(is_attached());
    for (const double number : numbers) sum += number;
  });
  EXPECT_EQ(sum, 15);
}

TEST(Buffer, SaysWhatItGotInstead) {
  EXPECT_EQ(refusal<Buffer<const double>>("None"),
            "TypeError: a bytes-like object is required, not 'NoneType'");
  using Matrix = Buffer<const double, 2>;
  EXPECT_EQ(refusal<Matrix>("memoryview(bytes(16)).cast('i')"),
            "TypeError: expected a 2-dimensional buffer of float64, got 1 dimension of int32");
  EXPECT_EQ(refusal<Matrix>("memoryview(bytes(16)).cast('f', (2, 2))"),
            "TypeError: expected a 2-dimensional buffer of float64, got 2 dimensions of float32");
  EXPECT_EQ(refusal<Matrix>("memoryview(bytes(8)).cast('d', ())"),
            "TypeError: expected a 2-dimensional buffer of float64, got 0 dimensions of float64");
  EXPECT_EQ(refusal<Buffer<const uint32_t>>("memoryview(bytes(8)).cast('i')"),
            "TypeError: expected a 1-dimensional buffer of uint32, got 1 dimension of int32");
  EXPECT_EQ(refusal<Buffer<const bool>>("bytes(8)"),
            "TypeError: expected a 1-dimensional buffer of bool, got 1 dimension of uint8");
  EXPECT_EQ(refusal<Buffer<const int>>("memoryview(bytes(8)).cast('P')"),
            "TypeError: expected a 1-dimensional buffer of int32, got 1 dimension of format 'P'");
}

TEST(Buffer, TakesTheSameNumberByAnyLetter) {
  EXPECT_EQ(refusal<Buffer<const int64_t>>("memoryview(bytes(8)).cast('l')"), "");
  EXPECT_EQ(refusal<Buffer<const int64_t>>("memoryview(bytes(8)).cast('q')"), "");
  EXPECT_EQ(refusal<Buffer<const long long>>("memoryview(bytes(8)).cast('n')"), "");
  EXPECT_EQ(refusal<Buffer<const std::byte>>("memoryview(bytes(8)).cast('b')"), "");
  EXPECT_EQ(refusal<Buffer<const uint8_t>>("memoryview(bytes(8)).cast('c')"), "");
  EXPECT_EQ(refusal<Buffer<const char>>("memoryview(bytes(8)).cast('?')"), "");
  EXPECT_EQ(refusal<Buffer<const bool>>("memoryview(bytes(8)).cast('?')"), "");
  EXPECT_NE(refusal<Buffer<const int8_t>>("memoryview(bytes(8)).cast('B')"), "");
}

TEST(Buffer, ReadsFormats) {
  const auto expect = [](const char* format, ElementType element) {
    EXPECT_EQ(parse_element(format), element) << (format != nullptr ? format : "null");
  };
  const ElementType none;
  expect(nullptr, {ElementKind::kUnsigned, 1});
  expect("l", {ElementKind::kSigned, 8});
  expect("@l", {ElementKind::kSigned, 8});
  expect("=l", {ElementKind::kSigned, 4});
  expect("<l", {ElementKind::kSigned, 4});
  expect(">l", {ElementKind::kSigned, 4, true});
  expect("!Q", {ElementKind::kUnsigned, 8, true});
  expect(">B", {ElementKind::kUnsigned, 1});
  expect(">d", {ElementKind::kFloat, 8, true});
  expect("g", {ElementKind::kFloat, 16});
  expect("e", {ElementKind::kFloat, 2});
  expect("Zf", {ElementKind::kComplex, 8});
  expect("<Zd", {ElementKind::kComplex, 16});
  expect("Zg", {ElementKind::kComplex, 32});
  expect("?", {ElementKind::kBool, 1});
  for (const char* format : {"", "<", "Z", "Zi", "Ze", "ZZd", "2d", "dd", "T{d:x:}", "O", "P", "<n",
                             "s", "w", "(2)d", "^d", "\xff", "d\xff"}) {
    expect(format, none);
  }
}

// An exporter that says anything.
Py_buffer given;
int releases = 0;

int get_buffer(PyObject* self, Py_buffer* view, int /*flags*/) {
  *view = given;
  view->obj = Py_NewRef(self);
  return 0;
}

void release_buffer(PyObject* /*self*/, Py_buffer* /*view*/) { ++releases; }

Strong new_exporter() {
  PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
                         {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
                         {}};
  PyType_Spec spec = {"Exporter", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};
  const Strong type = PyType_FromSpec(&spec);
  return PyObject_CallNoArgs(type.get());
}

class HostileBuffer : public ::testing::Test {
 protected:
  void SetUp() override {
    given = {};
    given.buf = numbers_;
    given.len = sizeof(numbers_);
    given.itemsize = sizeof(int);
    given.ndim = 1;
    given.format = format_;
    given.shape = shape_;
    given.strides = strides_;
    releases = 0;
  }
  void TearDown() override { EXPECT_EQ(releases, 1) << "whether it was accepted or not"; }

  template <typename B = Buffer<const int>>
  std::string refused() {
    return refusal<B>(exporter_.get());
  }

  const Strong exporter_ = new_exporter();
  int numbers_[4] = {1, 2, 3, 4};
  char format_[8] = "i";
  Py_ssize_t shape_[2] = {4, 1};
  Py_ssize_t strides_[2] = {4, 4};
};

TEST_F(HostileBuffer, IsTakenWhenItIsRight) { EXPECT_EQ(refused(), ""); }

TEST_F(HostileBuffer, NeedsNoShapeInOneDimension) {
  given.shape = given.strides = nullptr;
  const auto numbers = buffer_of<Buffer<const int>>(exporter_);
  EXPECT_EQ(numbers.shape(0), 4);
  EXPECT_EQ(numbers(3), 4);
}

TEST_F(HostileBuffer, NeedsNoStrides) {
  given.ndim = 2;
  given.strides = nullptr;
  shape_[0] = shape_[1] = 2;
  const auto numbers = buffer_of<Buffer<const int, 2>>(exporter_);
  EXPECT_EQ(numbers(1, 0), 3);
}

TEST_F(HostileBuffer, NeedsAShapeInTwo) {
  given.ndim = 2;
  given.shape = nullptr;
  EXPECT_EQ((refused<Buffer<const int, 2>>()),
            "BufferError: the buffer has 2 dimensions, but no shape");
}

TEST_F(HostileBuffer, MayNotHaveAnotherItemSize) {
  given.itemsize = 8;
  EXPECT_EQ(refused(), "BufferError: the buffer's elements have 8 bytes, but their format says 4");
}

TEST_F(HostileBuffer, MayNotHaveNegativeShape) {
  shape_[0] = -1;
  EXPECT_EQ(refused(), "BufferError: the buffer has an impossible shape");
}

TEST_F(HostileBuffer, MayNotOverflow) {
  given.ndim = 2;
  shape_[0] = shape_[1] = PY_SSIZE_T_MAX / 2;
  EXPECT_EQ((refused<Buffer<const int, 2>>()), "BufferError: the buffer has an impossible shape");
}

TEST_F(HostileBuffer, MayNotPromiseMoreThanItHas) {
  shape_[0] = 5;
  EXPECT_EQ(refused(), "BufferError: the buffer's length of 16 is not that of its 5 elements");
}

TEST_F(HostileBuffer, MayNotBeReadOnlyWhenAskedToWrite) {
  given.readonly = 1;
  EXPECT_EQ(refused<Buffer<int>>(), "BufferError: expected a writable buffer");
}

TEST_F(HostileBuffer, MayNotHavePointers) {
  Py_ssize_t suboffsets[1] = {0};
  given.suboffsets = suboffsets;
  EXPECT_EQ(refused(), "BufferError: a buffer of pointers is not supported");
}

TEST_F(HostileBuffer, MayHaveSuboffsetsThatAreNone) {
  Py_ssize_t suboffsets[1] = {-1};
  given.suboffsets = suboffsets;
  EXPECT_EQ(refused(), "");
}

TEST_F(HostileBuffer, IsAligned) {
  given.buf = reinterpret_cast<char*>(numbers_) + 1;
  EXPECT_EQ(refused(), "BufferError: the buffer's elements are not aligned");
}

TEST_F(HostileBuffer, IsAlignedAllAlong) {
  strides_[0] = 3;
  EXPECT_EQ(refused(), "BufferError: the buffer's elements are not aligned");
}

TEST_F(HostileBuffer, MayRepeatOneElement) {
  strides_[0] = 0;
  const auto numbers = buffer_of<Buffer<const int>>(exporter_);
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 4);
}

TEST_F(HostileBuffer, IsReleasedOnceHoweverItIsMoved) {
  auto first = buffer_of<Buffer<const int>>(exporter_);
  auto second = std::move(first);
  std::optional<Buffer<const int>> third(std::move(second));
  EXPECT_EQ((*third)(2), 3);
}

TEST_F(HostileBuffer, MayHaveAnyBytesAsFormat) {
  format_[0] = '\xff';
  EXPECT_EQ(refused().find("TypeError: expected a 1-dimensional buffer of int32, got "), 0U);
}

TEST_F(HostileBuffer, MayBeInTheOtherByteOrder) {
  format_[0] = '>';
  format_[1] = 'i';
  EXPECT_EQ(refused(),
            "TypeError: expected a 1-dimensional buffer of int32, got 1 dimension of byte-swapped "
            "int32");
}

// Of classes in Python, from 3.12 on.
TEST(Buffer, IsReleasedWithTheErrorStillSet) {
  const Strong globals = testing::run(
      "class Exporter:\n"
      "  released = 0\n"
      "  def __buffer__(self, flags): return memoryview(bytearray(b'abcd'))\n"
      "  def __release_buffer__(self, view): Exporter.released += 1\n"
      "exporter = Exporter()\n");
  PyObject* exporter = PyDict_GetItemString(globals.get(), "exporter");
  EXPECT_EQ(refusal<Buffer<const int>>(exporter).find("TypeError: expected a 1-dim"), 0U);
  EXPECT_EQ(refusal<Buffer<uint8_t>>(exporter), "");
  EXPECT_EQ(PyLong_AsLong(testing::attribute(exporter, "released").get()), 2);
}

TEST(Buffer, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_EQ(refusal<Buffer<const double>>("None").empty(), false);
    EXPECT_EQ(refusal<Buffer<const double>>("b'abc'").empty(), false);
    auto first = buffer_of<Buffer<const double, 2>>(doubles("(2, 3)"));
    const auto second = std::move(first);
  });
}

}  // namespace
}  // namespace tenure
