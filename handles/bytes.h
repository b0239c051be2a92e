// Bytes and ByteArray: views of Python's bytes, which never change, and of bytearray, which do.
//
//   Result<Bytes> packed = Bytes::make_with(size, [&](std::span<std::byte> out) { pack(out); });
//
// Not for: every other object that has bytes; ask those for a buffer (handles/buffer.h).
//
// Thread safety: attached for everything. What a Bytes answers may be read on any thread while
// somebody keeps it alive; what a ByteArray answers lies there until somebody resizes it.
#ifndef TENURE_HANDLES_BYTES_H_
#define TENURE_HANDLES_BYTES_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "tenure/handles/object.h"

namespace tenure {

class Bytes : public Object {
 public:
  static constexpr const char* kName = "bytes";
  static bool check(PyObject* object) { return PyBytes_Check(object); }

  // New references, or MemoryError.
  static Result<Bytes> make(std::string_view content) {
    return PyBytes_FromStringAndSize(content.data(), static_cast<Py_ssize_t>(content.size()));
  }
  static Result<Bytes> make(std::span<const std::byte> content) {
    return make(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
  }
  // The same without a copy: `fill` is called with the new object's bytes, which nobody else has
  // seen yet, and writes all of them. Requires: size >= 0; fill() runs no Python code.
  template <typename Fill>
  static Result<Bytes> make_with(Py_ssize_t size, Fill&& fill) {
    PyObject* made = PyBytes_FromStringAndSize(nullptr, size);
    if (made == nullptr) [[unlikely]]
      return Failed{};
    // Of the empty one and those of one byte there is one each, but not with unknown content.
    if (size > 0) {
      fill(std::span(reinterpret_cast<std::byte*>(PyBytes_AS_STRING(made)),
                     static_cast<size_t>(size)));
    }
    return made;
  }

  [[nodiscard]] Py_ssize_t size() const { return PyBytes_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // Live as long as the object. A 0 follows the last byte.
  [[nodiscard]] std::string_view view() const {
    return {PyBytes_AS_STRING(get()), static_cast<size_t>(size())};
  }
  [[nodiscard]] std::span<const std::byte> span() const {
    return std::as_bytes(std::span(PyBytes_AS_STRING(get()), static_cast<size_t>(size())));
  }

 protected:
  using Object::Object;
  Bytes(const Bytes&) = default;
  Bytes& operator=(const Bytes&) = default;
};

class ByteArray : public Object {
 public:
  static constexpr const char* kName = "bytearray";
  static bool check(PyObject* object) { return PyByteArray_Check(object); }

  // New references, or MemoryError.
  static Result<ByteArray> make(std::string_view content) {
    return PyByteArray_FromStringAndSize(content.data(), static_cast<Py_ssize_t>(content.size()));
  }
  static Result<ByteArray> make(std::span<const std::byte> content) {
    return make(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
  }

  [[nodiscard]] Py_ssize_t size() const { return PyByteArray_GET_SIZE(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // Where the bytes are now. Requires: not resized while it is used, which any Python code might
  // do, and without the GIL any thread.
  [[nodiscard]] std::span<std::byte> span() const {
    return {reinterpret_cast<std::byte*>(PyByteArray_AS_STRING(get())),
            static_cast<size_t>(size())};
  }

  // New bytes hold anything. BufferError while somebody has a buffer of it; MemoryError.
  // Requires: size >= 0.
  Result<void> resize(Py_ssize_t size) const {
    return Result<void>::from_status(PyByteArray_Resize(get(), size));
  }

 protected:
  using Object::Object;
  ByteArray(const ByteArray&) = default;
  ByteArray& operator=(const ByteArray&) = default;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_BYTES_H_
