#include "tenure/tests/support/frozen.h"

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

constexpr size_t kNoLimit = ~size_t{0};

}  // namespace

std::vector<std::byte> unused_bytes(PyObject* object) {
  const abi::Shape* shape = abi::shape_of(object);
  if (shape == nullptr) Py_FatalError("test: no shape");
  const size_t bytes = shape->bytes(object, kNoLimit);
  std::vector<std::byte> copy(shape->prefix_bytes + bytes);
  abi::copy_unused(*shape, object, copy.data() + shape->prefix_bytes, bytes);
  return copy;
}

PyObject* freeze(PyObject* object, size_t slack) {
  const abi::Shape* shape = abi::shape_of(object);
  const std::vector<std::byte> bytes = unused_bytes(object);
  auto* memory = static_cast<std::byte*>(std::calloc(1, bytes.size() + slack));
  if (memory == nullptr) Py_FatalError("test: no memory");
  std::memcpy(memory, bytes.data(), bytes.size());
  auto* copy = reinterpret_cast<PyObject*>(memory + shape->prefix_bytes);
  copy->ob_type = shape->type;
  std::vector<PyObject*> references;
  const size_t size = bytes.size() - shape->prefix_bytes;
  abi::for_each_reference(*shape, object, size,
                          [&](PyObject** slot) { references.push_back(*slot); });
  size_t next = 0;
  abi::for_each_reference(*shape, copy, size,
                          [&](PyObject** slot) { *slot = Py_XNewRef(references[next++]); });
  if (shape->id == abi::ShapeId::kCode) {
    static uint32_t version = abi::kFirstImageVersion;
    abi::set_code_version(copy, version++);
  }
  return copy;
}

PyObject* freeze_value(const char* expression, size_t slack) {
  const Strong value = evaluate(expression);
  return freeze(value.get(), slack);
}

}  // namespace tenure::testing
