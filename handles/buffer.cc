#include "tenure/handles/buffer.h"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace tenure::internal {

namespace {

constexpr size_t kNameSize = 64;

constexpr int kBitsPerByte = 8;

// "int32", as NumPy says it.
void write_name(char (&name)[kNameSize], const ElementType& element, const char* format) {
  const int bits = element.size * kBitsPerByte;
  const char* order = element.is_swapped ? "byte-swapped " : "";
  switch (element.kind) {
    case ElementKind::kByte:
      std::snprintf(name, kNameSize, "bytes");
      break;
    case ElementKind::kBool:
      std::snprintf(name, kNameSize, "bool");
      break;
    case ElementKind::kSigned:
      std::snprintf(name, kNameSize, "%sint%d", order, bits);
      break;
    case ElementKind::kUnsigned:
      std::snprintf(name, kNameSize, "%suint%d", order, bits);
      break;
    case ElementKind::kFloat:
      std::snprintf(name, kNameSize, "%sfloat%d", order, bits);
      break;
    case ElementKind::kComplex:
      std::snprintf(name, kNameSize, "%scomplex%d", order, bits);
      break;
    case ElementKind::kOther:
      std::snprintf(name, kNameSize, "format '%.40s'", format);
      break;
  }
}

// What a letter stands for, in the machine's own sizes or, after a byte order, in standard ones.
ElementType parse_letter(char letter, bool is_native) {
  const auto sized = [is_native](ElementKind kind, size_t native, uint8_t standard) -> ElementType {
    return {kind, is_native ? static_cast<uint8_t>(native) : standard};
  };
  switch (letter) {
    case 'c':
      return {ElementKind::kByte, 1};
    case '?':
      return {ElementKind::kBool, sizeof(bool)};
    case 'b':
      return {ElementKind::kSigned, 1};
    case 'B':
      return {ElementKind::kUnsigned, 1};
    case 'h':
      return sized(ElementKind::kSigned, sizeof(short), 2);  // NOLINT(google-runtime-int)
    case 'H':
      return sized(ElementKind::kUnsigned, sizeof(short), 2);  // NOLINT(google-runtime-int)
    case 'i':
      return sized(ElementKind::kSigned, sizeof(int), 4);
    case 'I':
      return sized(ElementKind::kUnsigned, sizeof(int), 4);
    case 'l':
      return sized(ElementKind::kSigned, sizeof(long), 4);  // NOLINT(google-runtime-int)
    case 'L':
      return sized(ElementKind::kUnsigned, sizeof(long), 4);  // NOLINT(google-runtime-int)
    case 'q':
      return sized(ElementKind::kSigned, sizeof(long long), 8);  // NOLINT(google-runtime-int)
    case 'Q':
      return sized(ElementKind::kUnsigned, sizeof(long long), 8);  // NOLINT(google-runtime-int)
    case 'n':
      return is_native ? ElementType{ElementKind::kSigned, sizeof(size_t)} : ElementType{};
    case 'N':
      return is_native ? ElementType{ElementKind::kUnsigned, sizeof(size_t)} : ElementType{};
    case 'e':  // no C++ type asks for it, but it has a name
      return {ElementKind::kFloat, 2};
    case 'f':
      return {ElementKind::kFloat, sizeof(float)};
    case 'd':
      return {ElementKind::kFloat, sizeof(double)};
    case 'g':  // has no standard size; NumPy says it with a byte order too
      return {ElementKind::kFloat, sizeof(long double)};
    default:
      return {};
  }
}

bool fits(const ElementType& wanted, const ElementType& given) {
  if (wanted.kind == ElementKind::kByte) return given.size == 1;
  // A C char is as good as a number.
  if (given.kind == ElementKind::kByte)
    return wanted.size == 1 && wanted.kind != ElementKind::kBool;
  return wanted == given;
}

bool is_c_contiguous(int dimensions, const Py_ssize_t* shape, const Py_ssize_t* strides,
                     Py_ssize_t item) {
  if (std::any_of(shape, shape + dimensions, [](Py_ssize_t extent) { return extent == 0; })) {
    return true;
  }
  Py_ssize_t expected = item;
  for (int i = dimensions - 1; i >= 0; --i) {
    // With one element there is no next one.
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

// Copies what the view says, where it says it; null is the default. False if it contradicts itself,
// with an error set.
bool read_shape(const Py_buffer& view, Py_ssize_t* shape, Py_ssize_t* strides) {
  if (view.shape == nullptr && view.ndim != 1) {
    return raise_buffer_error("the buffer has %d dimensions, but no shape", view.ndim), false;
  }
  Py_ssize_t items = 1;
  for (int i = 0; i < view.ndim; ++i) {
    shape[i] = view.shape != nullptr ? view.shape[i] : view.len / view.itemsize;
    if (shape[i] < 0 || __builtin_mul_overflow(items, shape[i], &items)) {
      return raise_buffer_error("the buffer has an impossible shape"), false;
    }
  }
  Py_ssize_t bytes = 0;
  if (__builtin_mul_overflow(items, view.itemsize, &bytes) || bytes != view.len) {
    return raise_buffer_error("the buffer's length of %zd is not that of its %zd elements",
                              view.len, items),
           false;
  }
  Py_ssize_t stride = view.itemsize;
  for (int i = view.ndim - 1; i >= 0; --i) {
    strides[i] = view.strides != nullptr ? view.strides[i] : stride;
    stride *= shape[i];
  }
  return true;
}

// False with an error set.
bool check(const BufferRequest& request, const Py_buffer& view, Py_ssize_t* shape,
           Py_ssize_t* strides) {
  const ElementType given = parse_element(view.format);
  if (view.ndim != request.dimensions || !fits(request.element, given)) {
    char wanted_name[kNameSize];
    char given_name[kNameSize];
    write_name(wanted_name, request.element, "");
    write_name(given_name, given, view.format != nullptr ? view.format : "B");
    raise_type_error("expected a %d-dimensional buffer of %s, got %d dimension%s of %s",
                     request.dimensions, wanted_name, view.ndim, view.ndim == 1 ? "" : "s",
                     given_name);
    return false;
  }
  if (view.itemsize != request.element.size) {
    return raise_buffer_error("the buffer's elements have %zd bytes, but their format says %d",
                              view.itemsize, static_cast<int>(request.element.size)),
           false;
  }
  if (request.is_writable && view.readonly != 0) {
    return raise_buffer_error("expected a writable buffer"), false;
  }
  if (view.suboffsets != nullptr && std::any_of(view.suboffsets, view.suboffsets + view.ndim,
                                                [](Py_ssize_t offset) { return offset >= 0; })) {
    return raise_buffer_error("a buffer of pointers is not supported"), false;
  }
  if (!read_shape(view, shape, strides)) return false;
  if (request.layout == Layout::kContiguous &&
      !is_c_contiguous(view.ndim, shape, strides, view.itemsize)) {
    return raise_buffer_error("expected a C-contiguous buffer"), false;
  }
  if (view.len == 0) return true;
  // Where there is but one element in a direction, its stride may be anything.
  bool is_aligned = std::bit_cast<uintptr_t>(view.buf) % request.alignment == 0;
  for (int i = 0; i < view.ndim; ++i) {
    is_aligned = is_aligned && (shape[i] == 1 || strides[i] % request.alignment == 0);
  }
  if (!is_aligned) return raise_buffer_error("the buffer's elements are not aligned"), false;
  return true;
}

}  // namespace

ElementType parse_element(const char* format) {
  if (format == nullptr) return {ElementKind::kUnsigned, 1};
  bool is_native = true;
  bool is_big = std::endian::native == std::endian::big;
  switch (*format) {
    case '@':
      ++format;
      break;
    case '=':
      is_native = false;
      ++format;
      break;
    case '<':
      is_native = is_big = false;
      ++format;
      break;
    case '>':
    case '!':
      is_native = false;
      is_big = true;
      ++format;
      break;
    default:
      break;
  }
  const bool is_complex = *format == 'Z';
  if (is_complex) ++format;
  ElementType element = *format != '\0' ? parse_letter(*format, is_native) : ElementType{};
  if (element.kind == ElementKind::kOther || format[1] != '\0') return {};
  if (is_complex) {
    if (element.kind != ElementKind::kFloat || element.size < sizeof(float)) return {};
    element.kind = ElementKind::kComplex;
    element.size *= 2;
  }
  element.is_swapped = element.size > 1 && is_big != (std::endian::native == std::endian::big);
  return element;
}

bool acquire_buffer(PyObject* object, const BufferRequest& request, Py_buffer& view,
                    Py_ssize_t* shape, Py_ssize_t* strides) {
  const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (request.is_writable ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(object, &view, flags) < 0) {
    view.obj = nullptr;
    return false;
  }
  if (check(request, view, shape, strides)) return true;
  const ErrorAside aside;
  PyBuffer_Release(&view);
  return false;
}

}  // namespace tenure::internal
