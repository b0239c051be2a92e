#include "tenure/core/abi/shape.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/layout.h"

// ob_shash is deprecated for those who read it; its place in the object is still what it was.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace tenure::abi {
namespace {

template <size_t... N>
constexpr auto join(const std::array<Field, N>&... parts) {
  std::array<Field, (N + ...)> all{};
  size_t at = 0;
  ((std::copy(parts.begin(), parts.end(), all.begin() + at), at += N), ...);
  return all;
}

// Puts a padding field wherever two fields leave a gap. `Gaps` is how many there are: the array has
// to have a size, and a wrong one does not compile.
template <size_t Gaps, size_t N>
constexpr auto padded(const std::array<Field, N>& fields, size_t fixed_bytes) {
  std::array<Field, N + Gaps> all{};
  size_t out = 0;
  size_t end = 0;
  auto fill = [&](size_t to) {
    if (end < to) {
      all[out++] = Field{static_cast<uint16_t>(end),
                         static_cast<uint16_t>(to - end),
                         FieldRole::kPadding,
                         0,
                         0,
                         "padding"};
    }
  };
  for (const Field& field : fields) {
    fill(field.offset);
    all[out++] = field;
    end = field.offset + field.bytes;
  }
  fill(fixed_bytes);
  if (out != all.size()) __builtin_trap();  // in a constant expression: does not compile
  return all;
}

constexpr auto kHead =
    join(layout::kHead, std::array{TENURE_FIELD(PyObject, ob_type, FieldRole::kType, 0)});

constexpr auto kVarHead =
    join(kHead, std::array{TENURE_FIELD(PyVarObject, ob_size, FieldRole::kPlain, 0)});

using StrState = decltype(PyASCIIObject::state);
static_assert(sizeof(StrState) == 4);

uint32_t state_bits(StrState state) {
  uint32_t bits;
  std::memcpy(&bits, &state, sizeof bits);
  return bits;
}

Field str_state_field() {
  StrState keep{};
  keep.kind = ~keep.kind;
  keep.compact = 1;
  keep.ascii = 1;
  StrState reset{};
  reset.statically_allocated = 1;
  Field field = TENURE_FIELD(PyASCIIObject, state, FieldRole::kFlags, 0);
  field.keep = state_bits(keep);
  field.reset = state_bits(reset);
  return field;
}

auto str_fields() {
  return join(kHead, std::array{TENURE_FIELD(PyASCIIObject, length, FieldRole::kPlain, 0),
                                TENURE_FIELD(PyASCIIObject, hash, FieldRole::kHash, kUnknownHash),
                                str_state_field()});
}

std::span<const Field> ascii_fields() {
  static const auto fields = padded<1>(str_fields(), sizeof(PyASCIIObject));
  return fields;
}

std::span<const Field> compact_fields() {
  static const auto fields = padded<1>(
      join(str_fields(),
           std::array{TENURE_FIELD(PyCompactUnicodeObject, utf8_length, FieldRole::kVolatile, 0),
                      TENURE_FIELD(PyCompactUnicodeObject, utf8, FieldRole::kVolatile, 0)}),
      sizeof(PyCompactUnicodeObject));
  return fields;
}

constexpr auto kBytesFields = padded<0>(
    join(kVarHead,
         std::array{TENURE_FIELD(PyBytesObject, ob_shash, FieldRole::kHash, kUnknownHash)}),
    offsetof(PyBytesObject, ob_sval));

constexpr auto kIntFields = padded<0>(
    join(kHead, std::array{TENURE_FIELD(PyLongObject, long_value.lv_tag, FieldRole::kPlain, 0)}),
    offsetof(PyLongObject, long_value.ob_digit));

constexpr auto kFloatFields =
    padded<0>(join(kHead, std::array{TENURE_FIELD(PyFloatObject, ob_fval, FieldRole::kPlain, 0)}),
              sizeof(PyFloatObject));

constexpr auto kComplexFields = padded<0>(
    join(kHead, std::array{TENURE_FIELD(PyComplexObject, cval.real, FieldRole::kPlain, 0),
                           TENURE_FIELD(PyComplexObject, cval.imag, FieldRole::kPlain, 0)}),
    sizeof(PyComplexObject));

constexpr auto kTupleFields =
    padded<0>(join(kVarHead, layout::kTupleHead), offsetof(PyTupleObject, ob_item));

#define TENURE_CODE_FIELD(member, role) TENURE_FIELD(PyCodeObject, member, FieldRole::role, 0)

constexpr auto kCodeFields =
    padded<1>(join(kVarHead,
                   std::array{
                       TENURE_CODE_FIELD(co_consts, kReference),
                       TENURE_CODE_FIELD(co_names, kReference),
                       TENURE_CODE_FIELD(co_exceptiontable, kReference),
                       TENURE_CODE_FIELD(co_flags, kPlain),
                       TENURE_CODE_FIELD(co_argcount, kPlain),
                       TENURE_CODE_FIELD(co_posonlyargcount, kPlain),
                       TENURE_CODE_FIELD(co_kwonlyargcount, kPlain),
                       TENURE_CODE_FIELD(co_stacksize, kPlain),
                       TENURE_CODE_FIELD(co_firstlineno, kPlain),
                       TENURE_CODE_FIELD(co_nlocalsplus, kPlain),
                       TENURE_CODE_FIELD(co_framesize, kPlain),
                       TENURE_CODE_FIELD(co_nlocals, kPlain),
                       TENURE_CODE_FIELD(co_ncellvars, kPlain),
                       TENURE_CODE_FIELD(co_nfreevars, kPlain),
                       TENURE_CODE_FIELD(co_version, kVersion),
                       TENURE_CODE_FIELD(co_localsplusnames, kLocals),
                       TENURE_CODE_FIELD(co_localspluskinds, kReference),
                       TENURE_CODE_FIELD(co_filename, kReference),
                       TENURE_CODE_FIELD(co_name, kReference),
                       TENURE_CODE_FIELD(co_qualname, kLabel),
                       TENURE_CODE_FIELD(co_linetable, kReference),
                       TENURE_CODE_FIELD(co_weakreflist, kVolatile),
                       TENURE_CODE_FIELD(co_executors, kVolatile),
                       TENURE_CODE_FIELD(_co_cached, kVolatile),
                       TENURE_CODE_FIELD(_co_instrumentation_version, kVolatile),
                       TENURE_CODE_FIELD(_co_monitoring, kVolatile),
                   },
                   layout::kCodeAfterMonitor,
                   std::array{
                       TENURE_CODE_FIELD(_co_firsttraceable, kPlain),
                       TENURE_CODE_FIELD(co_extra, kVolatile),
                   }),
              offsetof(PyCodeObject, co_code_adaptive));

constexpr auto kFrozenDictFields =
    padded<0>(join(kVarHead,
                   std::array{
                       TENURE_FIELD(FrozenDictObject, hash, FieldRole::kHash, kUnknownHash),
                       TENURE_FIELD(FrozenDictObject, index_bits, FieldRole::kPlain, 0),
                       TENURE_FIELD(FrozenDictObject, flags, FieldRole::kPlain, 0),
                       TENURE_FIELD(FrozenDictObject, fallback, FieldRole::kVolatile, 0),
                   }),
              sizeof(FrozenDictObject));

// fixed + count * item, or 0 when that does not fit into limit.
size_t sized(size_t fixed, uint64_t count, size_t item, size_t limit) {
  if (fixed > limit || count > (limit - fixed) / item) return 0;
  return fixed + count * item;
}

size_t ascii_bytes(const void* object, size_t limit) {
  const auto* str = static_cast<const PyASCIIObject*>(object);
  if (!str->state.compact || !str->state.ascii || str->length < 0) return 0;
  if (str->state.kind != PyUnicode_1BYTE_KIND) return 0;
  return sized(sizeof(PyASCIIObject) + 1, static_cast<uint64_t>(str->length), 1, limit);
}

size_t compact_bytes(const void* object, size_t limit) {
  const auto* str = static_cast<const PyASCIIObject*>(object);
  const size_t kind = str->state.kind;
  if (!str->state.compact || str->state.ascii || str->length < 0) return 0;
  if (kind != PyUnicode_1BYTE_KIND && kind != PyUnicode_2BYTE_KIND &&
      kind != PyUnicode_4BYTE_KIND) {
    return 0;
  }
  return sized(sizeof(PyCompactUnicodeObject) + kind, static_cast<uint64_t>(str->length), kind,
               limit);
}

size_t bytes_bytes(const void* object, size_t limit) {
  const Py_ssize_t size = static_cast<const PyVarObject*>(object)->ob_size;
  if (size < 0) return 0;
  return sized(offsetof(PyBytesObject, ob_sval) + 1, static_cast<uint64_t>(size), 1, limit);
}

size_t int_bytes(const void* object, size_t limit) {
  const auto* value = &static_cast<const PyLongObject*>(object)->long_value;
  const uint64_t digits = value->lv_tag >> _PyLong_NON_SIZE_BITS;
  return sized(offsetof(PyLongObject, long_value.ob_digit), std::max<uint64_t>(digits, 1),
               sizeof value->ob_digit[0], limit);
}

size_t float_bytes(const void*, size_t limit) { return sized(sizeof(PyFloatObject), 0, 1, limit); }

size_t complex_bytes(const void*, size_t limit) {
  return sized(sizeof(PyComplexObject), 0, 1, limit);
}

size_t tuple_bytes(const void* object, size_t limit) {
  const Py_ssize_t size = static_cast<const PyVarObject*>(object)->ob_size;
  if (size < 0) return 0;
  return sized(offsetof(PyTupleObject, ob_item), static_cast<uint64_t>(size), sizeof(PyObject*),
               limit);
}

size_t frozen_dict_bytes_of(const void* object, size_t limit) {
  const auto* dict = static_cast<const FrozenDictObject*>(object);
  // In entries first, so that nothing overflows.
  const size_t entries = entry_count(dict);
  if (entries > kMostFrozenEntries || entries > limit / sizeof(FrozenEntry)) return 0;
  if (dict->index_bits != frozen_index_bits(entries)) return 0;
  const size_t bytes = frozen_dict_bytes(entries);
  return bytes <= limit ? bytes : 0;
}

size_t code_bytes(const void* object, size_t limit) {
  const Py_ssize_t units = static_cast<const PyVarObject*>(object)->ob_size;
  if (units <= 0) return 0;
  return sized(offsetof(PyCodeObject, co_code_adaptive), static_cast<uint64_t>(units),
               kCodeUnitBytes, limit);
}

std::array<Shape, kShapeIdEnd>& table() {
  static std::array<Shape, kShapeIdEnd> shapes = {{
      {ShapeId::kNone, "", nullptr, 0, 0, Tail::kNone, {}, nullptr},
      {ShapeId::kStrAscii, "str (ASCII)", &PyUnicode_Type, 0, sizeof(PyASCIIObject), Tail::kPlain,
       ascii_fields(), ascii_bytes},
      {ShapeId::kStrCompact, "str", &PyUnicode_Type, 0, sizeof(PyCompactUnicodeObject),
       Tail::kPlain, compact_fields(), compact_bytes},
      {ShapeId::kBytes, "bytes", &PyBytes_Type, 0, offsetof(PyBytesObject, ob_sval), Tail::kPlain,
       kBytesFields, bytes_bytes},
      {ShapeId::kInt, "int", &PyLong_Type, 0, offsetof(PyLongObject, long_value.ob_digit),
       Tail::kPlain, kIntFields, int_bytes},
      {ShapeId::kFloat, "float", &PyFloat_Type, 0, sizeof(PyFloatObject), Tail::kNone, kFloatFields,
       float_bytes},
      {ShapeId::kComplex, "complex", &PyComplex_Type, 0, sizeof(PyComplexObject), Tail::kNone,
       kComplexFields, complex_bytes},
      {ShapeId::kTuple, "tuple", &PyTuple_Type, layout::kCollectorHeadBytes,
       offsetof(PyTupleObject, ob_item), Tail::kReferences, kTupleFields, tuple_bytes},
      {ShapeId::kCode, "code", &PyCode_Type, 0, offsetof(PyCodeObject, co_code_adaptive),
       Tail::kPlain, kCodeFields, code_bytes},
      {ShapeId::kFrozenDict, "FrozenDict", nullptr, layout::kCollectorHeadBytes,
       sizeof(FrozenDictObject), Tail::kEntries, kFrozenDictFields, frozen_dict_bytes_of},
  }};
  return shapes;
}

}  // namespace

const Shape* shape(ShapeId id) {
  const auto index = static_cast<size_t>(id);
  if (index == 0 || index >= kShapeIdEnd) return nullptr;
  if (id == ShapeId::kCode && !layout::kCopiesCode) return nullptr;
  Shape* found = &table()[index];
  if (id == ShapeId::kFrozenDict) {
    // Written once; acquire and release let whoever got the shape read the type as it is.
    const std::atomic_ref<PyTypeObject*> type(found->type);
    PyTypeObject* unknown = nullptr;
    if (type.load(std::memory_order_acquire) == nullptr) {
      type.compare_exchange_strong(unknown, frozen_dict_type(), std::memory_order_acq_rel);
    }
  }
  return found;
}

const Shape* shape_of(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyUnicode_Type) {
    const auto* str = reinterpret_cast<const PyASCIIObject*>(object);
    if (!str->state.compact) return nullptr;
    return shape(str->state.ascii ? ShapeId::kStrAscii : ShapeId::kStrCompact);
  }
  if (type == frozen_dict_type()) return shape(ShapeId::kFrozenDict);
  for (const Shape& one : table()) {
    if (one.id != ShapeId::kFrozenDict && one.type == type) return shape(one.id);
  }
  return nullptr;
}

size_t references_end(const Shape& shape, const void* object, size_t bytes) {
  if (shape.tail != Tail::kEntries) return bytes;
  const auto size = static_cast<size_t>(static_cast<const PyVarObject*>(object)->ob_size);
  return std::min(bytes, shape.fixed_bytes + size * sizeof(FrozenEntry));
}

void write_blank(const Shape& shape, void* copy, Py_ssize_t size) {
  auto* to = static_cast<std::byte*>(copy);
  for (const Field& field : shape.fields) {
    if (field.role == FieldRole::kCount || field.role == FieldRole::kHash ||
        field.role == FieldRole::kVolatile) {
      std::memcpy(to + field.offset, &field.reset, field.bytes);
    }
  }
  static_cast<PyVarObject*>(copy)->ob_size = size;
}

void write_hash(const Shape& shape, void* copy, int64_t hash) {
  for (const Field& field : shape.fields) {
    if (field.role != FieldRole::kHash) continue;
    std::memcpy(static_cast<std::byte*>(copy) + field.offset, &hash, field.bytes);
  }
}

std::span<const std::byte> content(const Shape& shape, const void* object, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(object);
  switch (shape.id) {
    case ShapeId::kInt: {
      const size_t tag = offsetof(PyLongObject, long_value.lv_tag);
      return {from + tag, bytes - tag};
    }
    case ShapeId::kFloat:
      return {from + offsetof(PyFloatObject, ob_fval), sizeof(double)};
    case ShapeId::kComplex:
      return {from + offsetof(PyComplexObject, cval), sizeof(Py_complex)};
    default:
      return {from + shape.fixed_bytes, bytes - shape.fixed_bytes};
  }
}

void copy_unused(const Shape& shape, const void* object, void* copy, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(object);
  auto* to = static_cast<std::byte*>(copy);
  for (const Field& field : shape.fields) {
    switch (field.role) {
      case FieldRole::kPlain:
        std::memcpy(to + field.offset, from + field.offset, field.bytes);
        break;
      case FieldRole::kFlags: {
        uint64_t value = 0;
        std::memcpy(&value, from + field.offset, field.bytes);
        value = (value & field.keep) | field.reset;
        std::memcpy(to + field.offset, &value, field.bytes);
        break;
      }
      case FieldRole::kCount:
      case FieldRole::kHash:
      case FieldRole::kVolatile:
        std::memcpy(to + field.offset, &field.reset, field.bytes);
        break;
      case FieldRole::kType:
      case FieldRole::kReference:
      case FieldRole::kLabel:
      case FieldRole::kLocals:
      case FieldRole::kVersion:
      case FieldRole::kPadding:
        break;
    }
  }
  if (shape.tail == Tail::kPlain || shape.tail == Tail::kEntries) {
    const size_t begin =
        shape.tail == Tail::kPlain ? shape.fixed_bytes : references_end(shape, object, bytes);
    std::memcpy(to + begin, from + begin, bytes - begin);
  }
}

uint64_t layout_fingerprint() {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over numbers
  auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (const Shape& shape : table()) {
    mix(static_cast<uint64_t>(shape.id));
    mix(shape.prefix_bytes);
    mix(shape.fixed_bytes);
    for (const Field& field : shape.fields) {
      mix(field.offset);
      mix(field.bytes);
      mix(static_cast<uint64_t>(field.role));
      mix(field.reset);
      mix(field.keep);
    }
  }
  return hash;
}

}  // namespace tenure::abi
