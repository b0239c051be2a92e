// How one kind of object lies in memory, as data.
//
// A Shape is an exact description of a CPython object: how many bytes it has, which of them are
// strong references, which are plain values, which are caches that the interpreter fills in
// later, and to what they go back in an object nobody has used yet. Code that copies, relocates
// or checks objects works from shapes and knows no field of any type by name.
//
// Not for: reading a value out of an object (use the C API or handles/), or for objects of types
// that have no shape. Those are rebuilt by an action or refused; nothing guesses.
//
// Thread safety: shapes are constant data. Functions that take an object need an attached thread.
#ifndef TENURE_CORE_ABI_SHAPE_H_
#define TENURE_CORE_ABI_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "tenure/core/abi/field.h"

namespace tenure::abi {

// Written into images: a number never changes its meaning, new ones are added at the end.
enum class ShapeId : uint8_t {
  kNone = 0,
  kStrAscii = 1,
  kStrCompact = 2,
  kBytes = 3,
  kInt = 4,
  kFloat = 5,
  kComplex = 6,
  kTuple = 7,
  kCode = 8,
  kFrozenDict = 9,
};
inline constexpr size_t kShapeIdEnd = 10;

// What comes after the fixed fields; kEntries: two references for each unit of ob_size, and then
// plain bytes.
enum class Tail : uint8_t { kNone, kPlain, kReferences, kEntries };

// Invariant: the fields are in order of offset, do not overlap, and
// [0, fixed_bytes) = the union of [offset, offset + bytes).
struct Shape {
  ShapeId id;
  const char* name;
  PyTypeObject* type;     // of FrozenDict: null until there is one
  uint16_t prefix_bytes;  // the collector's head, in front of the object
  uint16_t fixed_bytes;   // where the tail starts
  Tail tail;
  std::span<const Field> fields;
  // Bytes from the object's address to its end, prefix not included. Reads only fixed fields, so
  // it also works on a copy in an image. Answers 0 if that is more than `limit` or makes no sense;
  // requires limit >= fixed_bytes.
  size_t (*bytes)(const void* object, size_t limit);
};

inline constexpr size_t kObjectAlignment = 16;

// Where an object of any shape names its type, and how many bytes every object has at least.
inline constexpr size_t kTypeOffset = offsetof(PyObject, ob_type);
inline constexpr size_t kHeadBytes = sizeof(PyObject);
inline constexpr size_t kCodeUnitBytes = 2;  // an instruction or a cache entry of bytecode
inline constexpr size_t kSmallestStrBytes = sizeof(PyASCIIObject);

// The shape of that id; null when the number is unknown.
const Shape* shape(ShapeId id);

// The shape of a live object; null when it has none (a subclass, a legacy layout, another type).
// Requires: attached. Borrows.
const Shape* shape_of(PyObject* object);

// Where the references of a tail end, counted from the object's address. Requires: the object or
// copy at `object` is `bytes` long.
size_t references_end(const Shape& shape, const void* object, size_t bytes);

// Calls visit(slot) with the address of every reference in the object or copy at `object`, which
// is `bytes` long.
template <typename Visit>
void for_each_reference(const Shape& shape, void* object, size_t bytes, Visit&& visit) {
  auto* base = static_cast<std::byte*>(object);
  for (const Field& field : shape.fields) {
    if (is_reference(field.role)) {
      visit(reinterpret_cast<PyObject**>(base + field.offset));
    }
  }
  if (shape.tail == Tail::kReferences || shape.tail == Tail::kEntries) {
    const size_t end = references_end(shape, object, bytes);
    for (size_t at = shape.fixed_bytes; at + sizeof(PyObject*) <= end; at += sizeof(PyObject*)) {
      visit(reinterpret_cast<PyObject**>(base + at));
    }
  }
}

// Copies `object` to `copy` (`bytes` long, zeroed, its prefix too) as an immortal object nobody has
// used yet. References and the type are left null, versions are left zero: the caller knows where
// those go. Requires: attached.
void copy_unused(const Shape& shape, const void* object, void* copy, size_t bytes);

// Makes `copy` (zeroed, its prefix too) an immortal object of that shape with `size` items, whose
// references are null and whose plain fields but the size are zero. Requires: a shape with ob_size.
// Thread state: any.
void write_blank(const Shape& shape, void* copy, Py_ssize_t size);

// Writes down the hash of a copy, if objects of that shape keep one. Thread state: any.
void write_hash(const Shape& shape, void* copy, int64_t hash);

// The bytes in which two objects of a shape without references differ if their values do: two of
// equal shape, size in bytes, str kind and content are equal. Requires: `object` is such an object,
// `bytes` long. Thread state: any.
std::span<const std::byte> content(const Shape& shape, const void* object, size_t bytes);

// A number that differs whenever a size, offset, role or reset value differs: builds with equal
// fingerprints can exchange images. Thread state: any.
uint64_t layout_fingerprint();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_SHAPE_H_
