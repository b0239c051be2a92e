#include "tenure/core/abi/utf8.h"

namespace tenure::abi {

size_t utf8_bytes(PyObject* str) {
  const int kind = PyUnicode_KIND(str);
  const void* data = PyUnicode_DATA(str);
  size_t bytes = 0;
  for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(str); ++i) {
    const Py_UCS4 character = PyUnicode_READ(kind, data, i);
    if (Py_UNICODE_IS_SURROGATE(character)) return 0;
    bytes += character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  }
  return bytes;
}

void write_utf8(PyObject* str, char* out) {
  const int kind = PyUnicode_KIND(str);
  const void* data = PyUnicode_DATA(str);
  auto put = [&out](Py_UCS4 byte) { *out++ = static_cast<char>(byte); };
  for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(str); ++i) {
    const Py_UCS4 character = PyUnicode_READ(kind, data, i);
    if (character < 0x80) {
      put(character);
      continue;
    }
    if (character < 0x800) {
      put(0xc0 | character >> 6);
    } else {
      if (character < 0x10000) {
        put(0xe0 | character >> 12);
      } else {
        put(0xf0 | character >> 18);
        put(0x80 | (character >> 12 & 0x3f));
      }
      put(0x80 | (character >> 6 & 0x3f));
    }
    put(0x80 | (character & 0x3f));
  }
  *out = '\0';
}

}  // namespace tenure::abi
