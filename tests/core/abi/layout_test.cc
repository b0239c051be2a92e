// The layout tables against the installed headers: every field where the compiler puts it, and no
// byte of an object that no field speaks for.

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/shape.h"
#include "tenure/tests/support/python.h"

// ob_shash is deprecated for those who read it.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace tenure::abi {
namespace {

// A field as the headers have it, written down without the help of field.h.
struct Expected {
  const char* name;
  size_t offset;
  size_t bytes;
  FieldRole role;
};

#define AT(type, member) offsetof(type, member), sizeof(type::member)
#define SAY(type, member, role) {#member, AT(type, member), FieldRole::role}

#ifdef Py_GIL_DISABLED
const std::vector<Expected> kHead = {
    SAY(PyObject, ob_tid, kCount),       SAY(PyObject, _padding, kPadding),
    SAY(PyObject, ob_mutex, kVolatile),  SAY(PyObject, ob_gc_bits, kVolatile),
    SAY(PyObject, ob_ref_local, kCount), SAY(PyObject, ob_ref_shared, kCount),
    SAY(PyObject, ob_type, kType)};
constexpr size_t kCollectorHead = 0;
#else
const std::vector<Expected> kHead = {{"ob_refcnt", 0, 8, FieldRole::kCount},
                                     SAY(PyObject, ob_type, kType)};
constexpr size_t kCollectorHead = 16;
#endif
constexpr size_t kStateEnd = offsetof(PyASCIIObject, state) + 4;

std::vector<Expected> with(std::vector<Expected> fields, const std::vector<Expected>& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::vector<Expected> expected_fields(ShapeId id) {
  const auto var_head = with(kHead, {SAY(PyVarObject, ob_size, kPlain)});
  const auto str = with(kHead, {SAY(PyASCIIObject, length, kPlain), SAY(PyASCIIObject, hash, kHash),
                                SAY(PyASCIIObject, state, kFlags)});
  switch (id) {
    case ShapeId::kStrAscii:
      return with(str, {{"padding", kStateEnd, 4, FieldRole::kPadding}});
    case ShapeId::kStrCompact:
      return with(str, {{"padding", kStateEnd, 4, FieldRole::kPadding},
                        SAY(PyCompactUnicodeObject, utf8_length, kVolatile),
                        SAY(PyCompactUnicodeObject, utf8, kVolatile)});
    case ShapeId::kBytes:
      return with(var_head, {SAY(PyBytesObject, ob_shash, kHash)});
    case ShapeId::kInt:
      return with(kHead, {{"long_value.lv_tag", offsetof(PyLongObject, long_value),
                           sizeof(_PyLongValue::lv_tag), FieldRole::kPlain}});
    case ShapeId::kFloat:
      return with(kHead, {SAY(PyFloatObject, ob_fval, kPlain)});
    case ShapeId::kComplex:
      return with(kHead,
                  {{"cval.real", offsetof(PyComplexObject, cval), 8, FieldRole::kPlain},
                   {"cval.imag", offsetof(PyComplexObject, cval) + 8, 8, FieldRole::kPlain}});
    case ShapeId::kTuple:
#if PY_VERSION_HEX >= 0x030e0000
      return with(var_head, {SAY(PyTupleObject, ob_hash, kHash)});
#else
      return var_head;
#endif
    case ShapeId::kFrozenDict:
      return with(
          var_head,
          {SAY(FrozenDictObject, hash, kHash), SAY(FrozenDictObject, index_bits, kPlain),
           SAY(FrozenDictObject, flags, kPlain), SAY(FrozenDictObject, fallback, kVolatile)});
    default:
      break;
  }
  std::vector<Expected> code =
      with(var_head, {SAY(PyCodeObject, co_consts, kReference),
                      SAY(PyCodeObject, co_names, kReference),
                      SAY(PyCodeObject, co_exceptiontable, kReference),
                      SAY(PyCodeObject, co_flags, kPlain),
                      SAY(PyCodeObject, co_argcount, kPlain),
                      SAY(PyCodeObject, co_posonlyargcount, kPlain),
                      SAY(PyCodeObject, co_kwonlyargcount, kPlain),
                      SAY(PyCodeObject, co_stacksize, kPlain),
                      SAY(PyCodeObject, co_firstlineno, kPlain),
                      SAY(PyCodeObject, co_nlocalsplus, kPlain),
                      SAY(PyCodeObject, co_framesize, kPlain),
                      SAY(PyCodeObject, co_nlocals, kPlain),
                      SAY(PyCodeObject, co_ncellvars, kPlain),
                      SAY(PyCodeObject, co_nfreevars, kPlain),
                      SAY(PyCodeObject, co_version, kVersion),
                      SAY(PyCodeObject, co_localsplusnames, kLocals),
                      SAY(PyCodeObject, co_localspluskinds, kReference),
                      SAY(PyCodeObject, co_filename, kReference),
                      SAY(PyCodeObject, co_name, kReference),
                      SAY(PyCodeObject, co_qualname, kLabel),
                      SAY(PyCodeObject, co_linetable, kReference),
                      SAY(PyCodeObject, co_weakreflist, kVolatile),
                      SAY(PyCodeObject, co_executors, kVolatile),
                      SAY(PyCodeObject, _co_cached, kVolatile),
                      SAY(PyCodeObject, _co_instrumentation_version, kVolatile),
                      SAY(PyCodeObject, _co_monitoring, kVolatile)});
#if PY_VERSION_HEX >= 0x030e0000
  code.push_back(SAY(PyCodeObject, _co_unique_id, kVolatile));
#endif
  code.push_back(SAY(PyCodeObject, _co_firsttraceable, kPlain));
  const size_t end = code.back().offset + code.back().bytes;
  code.push_back({"padding", end, offsetof(PyCodeObject, co_extra) - end, FieldRole::kPadding});
  code.push_back(SAY(PyCodeObject, co_extra, kVolatile));
  return code;
}

struct ExpectedShape {
  ShapeId id;
  PyTypeObject* type;
  size_t prefix;
  size_t fixed;
  Tail tail;
};

const std::vector<ExpectedShape>& expected_shapes() {
  static const std::vector<ExpectedShape> shapes = {
      {ShapeId::kStrAscii, &PyUnicode_Type, 0, sizeof(PyASCIIObject), Tail::kPlain},
      {ShapeId::kStrCompact, &PyUnicode_Type, 0, sizeof(PyCompactUnicodeObject), Tail::kPlain},
      {ShapeId::kBytes, &PyBytes_Type, 0, offsetof(PyBytesObject, ob_sval), Tail::kPlain},
      {ShapeId::kInt, &PyLong_Type, 0,
       offsetof(PyLongObject, long_value) + offsetof(_PyLongValue, ob_digit), Tail::kPlain},
      {ShapeId::kFloat, &PyFloat_Type, 0, sizeof(PyFloatObject), Tail::kNone},
      {ShapeId::kComplex, &PyComplex_Type, 0, sizeof(PyComplexObject), Tail::kNone},
      {ShapeId::kTuple, &PyTuple_Type, kCollectorHead, offsetof(PyTupleObject, ob_item),
       Tail::kReferences},
#ifndef Py_GIL_DISABLED
      {ShapeId::kCode, &PyCode_Type, 0, offsetof(PyCodeObject, co_code_adaptive), Tail::kPlain},
#endif
      {ShapeId::kFrozenDict, nullptr, kCollectorHead, sizeof(FrozenDictObject), Tail::kEntries},
  };
  return shapes;
}

TEST(Layout, EveryShapeIsExpected) {
  size_t count = 0;
  for (size_t id = 1; id < kShapeIdEnd; ++id) count += shape(static_cast<ShapeId>(id)) != nullptr;
  EXPECT_EQ(expected_shapes().size(), count);
  for (const ExpectedShape& expected : expected_shapes()) {
    const Shape* found = shape(expected.id);
    ASSERT_NE(found, nullptr);
    SCOPED_TRACE(found->name);
    EXPECT_EQ(found->id, expected.id);
    EXPECT_EQ(found->type, expected.type);
    EXPECT_EQ(found->prefix_bytes, expected.prefix);
    EXPECT_EQ(found->fixed_bytes, expected.fixed);
    EXPECT_EQ(found->tail, expected.tail);
    EXPECT_NE(found->bytes, nullptr);
  }
}

TEST(Layout, CodeHasAShapeWhereThereIsAGil) {
  const Strong code = testing::compile("x = 1\n");
#ifdef Py_GIL_DISABLED
  EXPECT_EQ(shape(ShapeId::kCode), nullptr);
  EXPECT_EQ(shape_of(code.get()), nullptr);
#else
  ASSERT_NE(shape(ShapeId::kCode), nullptr);
  EXPECT_EQ(shape_of(code.get()), shape(ShapeId::kCode));
#endif
}

TEST(Layout, UnknownNumbersHaveNoShape) {
  EXPECT_EQ(shape(ShapeId::kNone), nullptr);
  for (size_t id = kShapeIdEnd; id <= 0xff; ++id) {
    EXPECT_EQ(shape(static_cast<ShapeId>(id)), nullptr) << id;
  }
}

// In order, without overlap and without a gap: the end of each is the start of the next.
TEST(Layout, FieldsTileTheFixedPart) {
  for (const ExpectedShape& expected : expected_shapes()) {
    const Shape& found = *shape(expected.id);
    size_t end = 0;
    for (const Field& field : found.fields) {
      EXPECT_EQ(field.offset, end) << found.name << '.' << field.name;
      EXPECT_GT(field.bytes, 0) << found.name << '.' << field.name;
      end = field.offset + field.bytes;
    }
    EXPECT_EQ(end, found.fixed_bytes) << found.name;
  }
}

TEST(Layout, FieldsAreWhereTheHeadersHaveThem) {
  for (const ExpectedShape& one : expected_shapes()) {
    const Shape& found = *shape(one.id);
    SCOPED_TRACE(found.name);
    const std::vector<Expected> expected = expected_fields(one.id);
    ASSERT_EQ(found.fields.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(expected[i].name);
      EXPECT_STREQ(found.fields[i].name, expected[i].name);
      EXPECT_EQ(found.fields[i].offset, expected[i].offset);
      EXPECT_EQ(found.fields[i].bytes, expected[i].bytes);
      EXPECT_EQ(found.fields[i].role, expected[i].role);
    }
  }
}

TEST(Layout, ResetValuesAreThoseOfAnObjectNobodyUsed) {
  for (const ExpectedShape& one : expected_shapes()) {
    for (const Field& field : shape(one.id)->fields) {
      SCOPED_TRACE(std::string(shape(one.id)->name) + '.' + field.name);
      if (field.role == FieldRole::kHash) {
        EXPECT_EQ(static_cast<int64_t>(field.reset), -1);
      } else if (field.role == FieldRole::kVolatile) {
        EXPECT_EQ(field.reset, 0u);
      }
      if (field.role != FieldRole::kFlags) {
        EXPECT_EQ(field.keep, 0u);
      }
    }
  }
}

// Nothing is kept of a str's state but what says how its characters lie, and the one mark that is
// set is the one that keeps the interpreter from freeing it.
TEST(Layout, FlagsOfStringsKeepTheFormAndSetTheStaticMark) {
  for (ShapeId id : {ShapeId::kStrAscii, ShapeId::kStrCompact}) {
    for (const Field& field : shape(id)->fields) {
      if (field.role != FieldRole::kFlags) continue;
      decltype(PyASCIIObject::state) keep;
      decltype(PyASCIIObject::state) reset;
      std::memcpy(&keep, &field.keep, sizeof keep);
      std::memcpy(&reset, &field.reset, sizeof reset);
      EXPECT_EQ(keep.kind, 7u);
      EXPECT_EQ(keep.compact, 1u);
      EXPECT_EQ(keep.ascii, 1u);
      EXPECT_EQ(keep.interned, 0u);
      EXPECT_EQ(keep.statically_allocated, 0u);
      EXPECT_EQ(reset.statically_allocated, 1u);
      EXPECT_EQ(reset.interned, 0u);
      EXPECT_EQ(reset.kind, 0u);
      EXPECT_EQ(field.keep & field.reset, 0u);
    }
  }
}

// The count itself.

struct Counted {
  alignas(16) std::byte bytes[sizeof(PyObject)] = {};
  PyObject* object() { return reinterpret_cast<PyObject*>(bytes); }
};

void set_immortal_count(Counted& counted) {
  for (const Field& field : shape(ShapeId::kFloat)->fields) {
    if (field.role != FieldRole::kCount) continue;
    std::memcpy(counted.bytes + field.offset, &field.reset, field.bytes);
  }
  counted.object()->ob_type = &PyFloat_Type;
}

TEST(ImmortalCount, IsOneTheInterpreterLeavesAlone) {
  Counted counted;
  set_immortal_count(counted);
  const Counted before = counted;
  EXPECT_TRUE(_Py_IsImmortal(counted.object()));
  const Py_ssize_t total = testing::reference_total();
  for (int i = 0; i < 1000; ++i) Py_INCREF(counted.object());
  EXPECT_EQ(std::memcmp(&counted, &before, sizeof before), 0);
  for (int i = 0; i < 5000; ++i) Py_DECREF(counted.object());
  EXPECT_EQ(std::memcmp(&counted, &before, sizeof before), 0);
  EXPECT_EQ(testing::reference_total(), total);
}

// Functions inside libpython count with code of their own.
TEST(ImmortalCount, IsLeftAloneByTheLibraryToo) {
  Counted counted;
  set_immortal_count(counted);
  const Counted before = counted;
  {
    const Strong list = PyList_New(0);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(PyList_Append(list.get(), counted.object()), 0);
    Py_IncRef(counted.object());
    Py_DecRef(counted.object());
  }
  EXPECT_EQ(std::memcmp(&counted, &before, sizeof before), 0);
}

TEST(Fingerprint, IsTheSameInEveryProcess) {
  constexpr const char* kVariable = "TENURE_TEST_FINGERPRINT";
  const std::string mine = std::to_string(layout_fingerprint());
  EXPECT_EQ(std::to_string(layout_fingerprint()), mine);
  // The child of a death test is this program started anew, at other addresses.
  if (std::getenv(kVariable) == nullptr) setenv(kVariable, mine.c_str(), 1);
  EXPECT_EXIT(_exit(mine == std::getenv(kVariable) ? 0 : 1), ::testing::ExitedWithCode(0), "");
  unsetenv(kVariable);
}

}  // namespace
}  // namespace tenure::abi
